import { describe, expect, it } from 'vitest'
import { Resting, type Rester } from '../../src/runtime/resting.ts'

const afterMs = 100

/** Instances that leave when they are asked to, unless they are busy. */
function room(most: number) {
  let now = 0
  const left: string[] = []
  const resting = new Resting({ afterMs, most, monotonic: () => now })
  const rester = (name: string) => {
    const made: Rester & { isBusy: boolean } = {
      isBusy: false,
      next: undefined,
      previous: undefined,
      restedAt: undefined,
      passivate() {
        if (made.isBusy) return
        // As an instance does that has nothing to store: it rests once more, and ends.
        resting.rested(made)
        left.push(name)
        resting.gone(made)
      },
    }
    return made
  }
  return { left, rester, resting, passes: (ms: number) => (now += ms) }
}

describe('Resting', () => {
  it('lets those leave that have rested long enough', () => {
    const { left, passes, rester, resting } = room(10)
    const first = rester('first')
    resting.rested(first)
    resting.rested(rester('second'))
    passes(60)
    resting.rested(first)
    passes(60)

    resting.passivate()

    expect(left).toEqual(['second'])
  })

  it('lets those leave that have rested longest when there are too many', () => {
    const { left, rester, resting } = room(2)
    const [first, second, third, fourth] = ['first', 'second', 'third', 'fourth'].map(name => rester(name))
    resting.rested(first!)
    resting.rested(second!)
    resting.rested(first!)
    resting.rested(third!)
    resting.rested(fourth!)

    expect(left).toEqual(['second', 'first'])
  })

  it('asks one that stays no more until it rests again', () => {
    const { left, passes, rester, resting } = room(10)
    const one = rester('one')
    resting.rested(one)
    one.isBusy = true
    passes(afterMs + 1)
    resting.passivate()
    one.isBusy = false
    resting.passivate()
    const leftUnasked = [...left]

    resting.rested(one)
    passes(afterMs + 1)
    resting.passivate()

    expect([leftUnasked, left]).toEqual([[], ['one']])
  })

  it('does not count one that has gone', () => {
    const { left, rester, resting } = room(1)
    const gone = rester('gone')
    resting.rested(gone)
    resting.gone(gone)
    resting.gone(gone)
    resting.rested(rester('stays'))

    expect(left).toEqual([])
  })
})
