import { describe, expect, it } from 'vitest'
import { CommitRoom, type Entrant } from '../../src/runtime/commit-room.ts'

/** Begins a commit of its own as soon as it is let in. */
function entrantTo(room: CommitRoom, entered: string[], name: string): Entrant {
  return {
    enter() {
      entered.push(name)
      room.begun()
    },
  }
}

describe('CommitRoom', () => {
  it('lets those in that have waited, in order, as many as there is room for', () => {
    const room = new CommitRoom(2)
    const entered: string[] = []
    for (let n = 0; n < 3; n++) room.begun()
    for (const name of ['first', 'second', 'third']) room.await(entrantTo(room, entered, name))

    room.ended()
    const whileFull = [...entered]
    room.ended()
    const afterOne = [...entered]
    room.ended()

    expect(whileFull).toEqual([])
    expect(afterOne).toEqual(['first'])
    expect(entered).toEqual(['first', 'second'])
    expect(room.isFull).toBe(true)
  })

  it('lets in the next when one that is let in has nothing to store', () => {
    const room = new CommitRoom(1)
    const entered: string[] = []
    room.begun()
    room.await({ enter: () => void entered.push('idle') })
    room.await(entrantTo(room, entered, 'busy'))

    room.ended()

    expect(entered).toEqual(['idle', 'busy'])
  })

  it('lets nobody in that does not wait any more', () => {
    const room = new CommitRoom(1)
    const entered: string[] = []
    const gone = entrantTo(room, entered, 'gone')
    room.begun()
    room.await(gone)

    room.forget(gone)
    room.ended()

    expect(entered).toEqual([])
    expect(room.isFull).toBe(false)
  })
})
