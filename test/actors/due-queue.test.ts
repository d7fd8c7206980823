import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { DueQueue } from '../../actors/due-queue.ts'

type Step =
  | { readonly type: 'set'; readonly key: number; readonly dueAt: number }
  | { readonly type: 'delete'; readonly key: number }
  | { readonly type: 'take'; readonly now: number }

const key = fc.integer({ min: 0, max: 12 })
const time = fc.integer({ min: 0, max: 100 })
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ type: fc.constant('set' as const), key, dueAt: time }),
  fc.record({ type: fc.constant('delete' as const), key }),
  fc.record({ type: fc.constant('take' as const), now: time }),
)

interface Answer {
  readonly size: number
  readonly nextDueAt: number | undefined
  /** Keys due at the same moment come in any order. */
  readonly taken: readonly number[]
}

function answerOf(queue: DueQueue<number>, each: Step): Answer {
  let taken: number[] = []
  if (each.type === 'set') queue.set(each.key, each.dueAt)
  else if (each.type === 'delete') queue.delete(each.key)
  else taken = queue.takeDue(each.now)
  return { size: queue.size, nextDueAt: queue.nextDueAt, taken: taken.toSorted((a, b) => a - b) }
}

function expectedOf(model: Map<number, number>, each: Step): Answer {
  let taken: number[] = []
  if (each.type === 'set') model.set(each.key, each.dueAt)
  else if (each.type === 'delete') model.delete(each.key)
  else taken = [...model.keys()].filter(due => model.get(due)! <= each.now)
  for (const due of taken) model.delete(due)
  const nextDueAt = model.size === 0 ? undefined : Math.min(...model.values())
  return { size: model.size, nextDueAt, taken: taken.toSorted((a, b) => a - b) }
}

/** Sets and clears so many keys that nobody else knows. */
function fill(queue: DueQueue<object>, count: number): void {
  const keys = Array.from({ length: count }, (_, index) => ({ index }))
  for (const each of keys) queue.set(each, each.index)
  for (const each of keys) queue.delete(each)
}

describe('a due queue', () => {
  it('answers what is due in the order in which it was due', () => {
    const queue = new DueQueue<string>()
    for (const [name, dueAt] of [
      ['c', 30],
      ['a', 10],
      ['d', 40],
      ['b', 20],
    ] as const)
      queue.set(name, dueAt)

    expect(queue.takeDue(35)).toEqual(['a', 'b', 'c'])
  })

  it('answers as a plain map of moments would, whatever is set, replaced, cleared and taken', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), steps => {
        const queue = new DueQueue<number>()
        const model = new Map<number, number>()

        const answers = steps.map(each => answerOf(queue, each))
        const expected = steps.map(each => expectedOf(model, each))

        expect(answers).toEqual(expected)
      }),
    )
  })

  it('does not grow with the number of times a key is set', () => {
    const queue = new DueQueue<string>()
    const before = process.memoryUsage().heapUsed

    for (let round = 0; round < 1_000_000; round++) queue.set('one', round)

    expect(process.memoryUsage().heapUsed - before).toBeLessThan(16 * 2 ** 20)
    expect(queue.takeDue(1_000_000)).toEqual(['one'])
  })

  it('keeps nothing of what has been cleared', () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const queue = new DueQueue<object>()
    collect()
    const before = process.memoryUsage().heapUsed

    fill(queue, 300_000)
    collect()

    expect(queue.size).toBe(0)
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(4 * 2 ** 20)
  })
})
