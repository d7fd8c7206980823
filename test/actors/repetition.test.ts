import { describe, expect, it } from 'vitest'

import type { Delivery, Envelope } from '../../actors/envelope.ts'
import { nothingApplied, repetitionOf, withApplied, withControlApplied } from '../../actors/repetition.ts'

function envelope(id: string, type: 'pause' | 'send' = 'send'): Envelope {
  const base = { id, target: { workflow: 'counter', id: 'c-1' }, time: 0 }
  return type === 'pause' ? { ...base, type } : { ...base, type, event: { type: 'ADD' } }
}

/** What is remembered after so many, `e-1` at 10, `e-2` at 20 and so on. */
function after(count: number, type: 'pause' | 'send' = 'send') {
  const apply = type === 'pause' ? withControlApplied : withApplied
  let applied = nothingApplied
  for (let n = 1; n <= count; n++) applied = apply(applied, envelope(`e-${n}`, type), 10 * n)
  return applied
}

function again(id: string, repeats: number, over: Partial<Delivery> = {}): Delivery {
  return { envelope: envelope(id), repeats, seq: 1_000, ...over }
}

describe('an envelope whose sender sends it again', () => {
  it('is known by its id, and by its own place once that is passed', () => {
    expect(repetitionOf(after(20), again('e-13', 130))).toBe('duplicate')
    expect(repetitionOf(after(20), again('e-20', 200))).toBe('duplicate')
    expect(repetitionOf(after(20), again('e-1', 10, { seq: 200 }))).toBe('duplicate')
  })

  it('may have been applied when the first stands before more than are remembered', () => {
    expect(repetitionOf(after(9), again('e-1', 10))).toBe('repeated')
    expect(repetitionOf(after(8), again('other', 80))).toBe('repeated')
    expect(repetitionOf(after(20), again('other', 0))).toBe('repeated')
  })

  it('has not been applied when nothing is forgotten, or when what came after the first was not either', () => {
    expect(repetitionOf(after(7), again('other', 10))).toBeUndefined()
    expect(repetitionOf(after(20), again('other', 201))).toBeUndefined()
    expect(repetitionOf(nothingApplied, again('other', 5))).toBeUndefined()
  })

  it('is known however many have come since from ordered sources and activities', () => {
    let applied = after(1)
    for (let n = 2; n <= 20; n++) {
      const base = { id: `o-${n}`, target: { workflow: 'counter', id: 'c-1' }, time: 0 }
      const ordered = { ...envelope(`o-${n}`), source: { name: 'orders', position: n } } as Envelope
      const outcome = { status: 'done', output: n } as const
      const told: Envelope = { ...base, type: 'settle', path: 'work', incarnation: n, outcome }
      applied = withApplied(applied, n % 2 === 0 ? ordered : told, 10 * n)
    }

    expect(repetitionOf(applied, again('e-1', 10))).toBe('duplicate')
    expect(repetitionOf(applied, again('other', 20))).toBeUndefined()
  })

  it('is not what is sent for the first time', () => {
    expect(repetitionOf(after(20), { envelope: envelope('other'), seq: 1_000 })).toBeUndefined()
  })

  it('is held against those of its kind, if it goes ahead', () => {
    const pause = { envelope: envelope('other', 'pause') }

    expect(repetitionOf(after(9, 'pause'), again('other', 10, pause))).toBe('repeated')
    expect(repetitionOf(after(20), again('other', 10, pause))).toBeUndefined()
    expect(repetitionOf(after(9, 'pause'), again('other', 10))).toBeUndefined()
    expect(repetitionOf(after(20), again('other', 10, { ...pause, isInOrder: true }))).toBe('repeated')
  })
})
