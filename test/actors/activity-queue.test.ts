import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import {
  ActivityQueue,
  agingMs,
  leastUrgent,
  type Place,
  type Priority,
  type QueueItem,
} from '../../actors/activity-queue.ts'
import { randomFrom } from '../support/random.ts'

function placeOf(priority: Priority, fairness?: string): Place {
  return { priority, fairness }
}

/** A queue of names, and the time it goes by. */
function newQueue(): { clock: { now: number }; queue: ActivityQueue<string> } {
  const clock = { now: 0 }
  return { clock, queue: new ActivityQueue<string>(() => clock.now) }
}

function takeAll<T>(queue: ActivityQueue<T>): T[] {
  const taken: T[] = []
  while (queue.size > 0) taken.push(queue.take()!)
  return taken
}

describe('an activity queue', () => {
  it('gives out the most urgent first, and those alike in the order in which they came', () => {
    const { queue } = newQueue()
    for (const [name, priority] of [
      ['c', 3],
      ['e', 5],
      ['a', 1],
      ['d', 3],
      ['b', 1],
    ] as const) {
      queue.add(name, placeOf(priority))
    }

    expect(takeAll(queue)).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('lets keys take turns, however many one of them has', () => {
    const { queue } = newQueue()
    for (const name of ['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1']) queue.add(name, placeOf(3, name[0]))

    expect(takeAll(queue)).toEqual(['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4'])
  })

  it('gives a key nothing for leaving and coming back', () => {
    const { queue } = newQueue()
    queue.add('a1', placeOf(3, 'a'))
    queue.add('b1', placeOf(3, 'b'))
    queue.add('b2', placeOf(3, 'b'))

    const taken: (string | undefined)[] = []
    for (let turn = 0; turn < 4; turn++) {
      const name = queue.take()
      taken.push(name)
      if (name?.startsWith('a') === true) queue.add(`a${turn + 2}`, placeOf(3, 'a'))
    }

    expect(taken).toEqual(['a1', 'b1', 'a2', 'b2'])
  })

  it('lets what waits rise by a class every ten seconds', () => {
    const { clock, queue } = newQueue()
    queue.add('old', placeOf(3))
    clock.now = agingMs + 1
    queue.add('young', placeOf(2))
    const urgency = queue.urgency
    clock.now = 2 * agingMs

    queue.add('urgent', placeOf(1))

    expect(urgency).toBe(2)
    expect(takeAll(queue)).toEqual(['old', 'urgent', 'young'])
  })

  it('takes the least urgent after 40 s and those before it, whatever urgent ones keep coming', () => {
    const { clock, queue } = newQueue()
    const takeEveryMs = 10
    const before = 100
    for (let n = 0; n < before; n++) queue.add('before', placeOf(1))
    queue.add('patient', placeOf(5))

    // As many come as are taken: by priority alone the patient one is never taken.
    let takenAt: number | undefined
    while (takenAt === undefined && clock.now < 10 * leastUrgent * agingMs) {
      clock.now += takeEveryMs
      queue.add('urgent', placeOf(1))
      if (queue.take() === 'patient') takenAt = clock.now
    }

    const rises = (leastUrgent - 1) * agingMs
    expect(takenAt).toBeGreaterThanOrEqual(rises)
    expect(takenAt).toBeLessThanOrEqual(rises + (before + 1) * takeEveryMs)
  })

  it('takes the least urgent of a key after 40 s and at most a turn of each other key for each before it', () => {
    const { clock, queue } = newQueue()
    const takeEveryMs = 10
    const others = 20
    const before = 3
    for (let n = 0; n < before; n++) queue.add('before', placeOf(5, 'own'))
    queue.add('patient', placeOf(5, 'own'))

    let takenAt: number | undefined
    for (let turn = 0; takenAt === undefined && turn < 100_000; turn++) {
      clock.now += takeEveryMs
      queue.add('urgent', placeOf(1, `key ${turn % others}`))
      queue.add('urgent', placeOf(1, `key ${(turn + 1) % others}`))
      if (queue.take() === 'patient') takenAt = clock.now
    }

    const rises = (leastUrgent - 1) * agingMs
    expect(takenAt).toBeLessThanOrEqual(rises + (before + 1) * (others + 1) * takeEveryMs)
  })

  it('takes as a plain list would, whatever comes, leaves and ages', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), steps => {
        const model = new Model()

        for (const each of steps) model.play(each)

        expect(model.problems).toEqual([])
      }),
      { numRuns: 500 },
    )
  })

  it(
    'S6: keeps nothing of 1,000,000 items and their 10,000 keys once they are gone',
    { timeout: 60_000 },
    () => {
      const { clock, queue } = newQueue()
      const random = randomFrom(6)
      const count = 1_000_000
      const items: QueueItem<string>[] = []
      const sizes: number[] = []

      for (let n = 0; n < count; n++) {
        clock.now += 0.05
        const priority = (1 + Math.floor(random() * leastUrgent)) as Priority
        items.push(queue.add('item', placeOf(priority, `key ${Math.floor(random() * 10_000)}`)))
      }
      sizes.push(queue.size, queue.keyCount)
      for (let n = 0; n < count; n += 3) queue.remove(items[n]!)
      sizes.push(queue.size)
      const taken = takeAll(queue).length

      expect(sizes).toEqual([count, 10_000, count - Math.ceil(count / 3)])
      expect(taken).toBe(count - Math.ceil(count / 3))
      expect([queue.size, queue.keyCount, queue.urgency, queue.take()]).toEqual([0, 0, undefined, undefined])
    },
  )
})

type Step =
  | { readonly type: 'add'; readonly priority: Priority; readonly key: string | undefined }
  | { readonly type: 'remove'; readonly which: number }
  | { readonly type: 'take' }
  | { readonly type: 'wait'; readonly ms: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('add' as const),
      priority: fc.constantFrom<Priority>(1, 2, 3, 4, 5),
      key: fc.constantFrom('a', 'b', 'c', undefined),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('remove' as const), which: fc.nat() }) },
  { weight: 3, arbitrary: fc.constant({ type: 'take' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('wait' as const),
      ms: fc.oneof(fc.integer({ min: 1, max: 3 * agingMs }), fc.constant(agingMs)),
    }),
  },
)

interface Listed {
  readonly name: string
  readonly priority: number
  readonly key: string | undefined
  readonly arrivedAt: number
  readonly item: QueueItem<string>
}

/** A plain list beside the queue, which finds fault with what the queue takes. */
class Model {
  readonly problems: string[] = []
  readonly #clock = { now: 0 }
  readonly #queue = new ActivityQueue<string>(() => this.#clock.now)
  #list: Listed[] = []
  #number = 0
  /** Since it has been in the class it is in: that class, and which other keys of it have had a turn. */
  readonly #turns = new Map<string | undefined, { readonly urgency: number; readonly had: Set<unknown> }>()

  play(each: Step): void {
    switch (each.type) {
      case 'wait':
        this.#clock.now += each.ms
        break
      case 'add': {
        const { priority, key } = each
        const name = `${++this.#number}`
        const item = this.#queue.add(name, placeOf(priority, key))
        this.#list.push({ name, priority, key, arrivedAt: this.#clock.now, item })
        break
      }
      case 'remove': {
        const listed = this.#list[each.which % Math.max(1, this.#list.length)]
        if (listed === undefined) break
        this.#queue.remove(listed.item)
        this.#queue.remove(listed.item)
        this.#list = this.#list.filter(other => other !== listed)
        break
      }
      case 'take':
        this.#take()
    }
    this.#noteClasses()
    const keys = new Set(this.#list.map(({ key }) => key)).size
    this.#require(this.#queue.size === this.#list.length, 'the size is wrong')
    this.#require(this.#queue.keyCount === keys, 'the keys are wrong')
    this.#require(this.#queue.urgency === this.#mostUrgent(), 'the urgency is wrong')
  }

  #take(): void {
    const most = this.#mostUrgent()
    const name = this.#queue.take()
    const taken = this.#list.find(listed => listed.name === name)
    if (taken === undefined) {
      this.#require(name === undefined && this.#list.length === 0, `took ${name}`)
      return
    }
    const { key } = taken
    const first = this.#list.find(listed => listed.key === key && this.#classOf(listed) === most)
    this.#require(first === taken, `took ${name}, not ${first?.name}`)
    for (const [other, { urgency, had }] of this.#turns) {
      if (other === key || urgency !== most) continue
      this.#require(!had.has(key), `'${key}' had two turns while '${other}' waited`)
      had.add(key)
    }
    this.#turns.delete(key)
    this.#list = this.#list.filter(listed => listed !== taken)
  }

  #noteClasses(): void {
    for (const key of ['a', 'b', 'c', undefined]) {
      const urgency = this.#mostUrgent(key, true)
      if (urgency === undefined) this.#turns.delete(key)
      else if (this.#turns.get(key)?.urgency !== urgency) this.#turns.set(key, { urgency, had: new Set() })
    }
  }

  #mostUrgent(key?: string, isOfKey = false): number | undefined {
    const classes = this.#list
      .filter(listed => !isOfKey || listed.key === key)
      .map(listed => this.#classOf(listed))
    return classes.length === 0 ? undefined : Math.min(...classes)
  }

  #classOf({ priority, arrivedAt }: Listed): number {
    return Math.max(1, priority - Math.floor((this.#clock.now - arrivedAt) / agingMs))
  }

  #require(isRight: boolean, problem: string): void {
    if (!isRight) this.problems.push(problem)
  }
}
