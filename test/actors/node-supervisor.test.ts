import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createActor, fromCallback, fromPromise, SimulatedClock } from 'xstate'

import { ownerOf, partitionsFor } from '../../actors/assignment.ts'
import { endurance } from '../../actors/endurance.ts'
import type { Lease } from '../../actors/ports.ts'
import { nodeSupervisor, partitionsOf } from '../../actors/supervisors/node.ts'
import {
  partitionSupervisor,
  type PartitionEvent,
  type PartitionWork,
} from '../../actors/supervisors/partition.ts'

const partitions = 16
const all = Array.from({ length: partitions }, (_, partition) => partition)
const [retryAfterMs, pauseMs, paceMs] = [250, 1_000, 20]

/** Leases without a server: who has which partition. What nodes do is done at once and succeeds. */
class World {
  readonly clock = new SimulatedClock()
  readonly owners = new Map<number, string>()
  /** What must never happen. */
  readonly wrongs: string[] = []
  readonly nodes = new Map<string, TestNode>()

  /** A node that does not know of any others yet. */
  start(name: string): TestNode {
    const node = new TestNode(this, name)
    this.nodes.set(name, node)
    return node
  }

  /** Everyone hears who is alive. */
  async tell(...names: readonly string[]): Promise<void> {
    for (const node of this.nodes.values()) node.tell(...names)
    await flushed()
  }

  /** That much time passes; what becomes possible happens. */
  async pass(durationMs: number): Promise<void> {
    for (let passed = 0; passed < durationMs; passed += 10) {
      this.clock.increment(Math.min(10, durationMs - passed))
      await flushed()
    }
  }

  /** What each node has said that it stays away from. */
  get avoided(): ReadonlyMap<string, ReadonlySet<number>> {
    return new Map([...this.nodes].map(([name, node]) => [name, new Set(node.avoided)]))
  }

  vacate(partition: number): void {
    this.owners.delete(partition)
    for (const node of this.nodes.values()) node.vacated(partition)
  }
}

/** A supervisor of a node of that world. */
class TestNode {
  readonly name: string
  /** Partitions it serves. */
  readonly serving = new Set<number>()
  /** Partitions whose next draining waits until the test lets it go on. */
  readonly heldUp = new Map<number, () => void>()
  /** What was given up, in order. */
  readonly given: number[] = []
  /** Partitions whose lease is asked for, in order. */
  readonly asked: number[] = []
  /** Partitions whose supervisor dies when it has asked for the lease, once. */
  readonly deadly = new Set<number>()
  /** What it says that it stays away from. */
  avoided: readonly number[] = []
  /** What it stays away from, each time, and for how long. */
  readonly escalated: (readonly [partition: number, durationMs: number])[] = []
  readonly #world: World
  readonly #actor
  #names: readonly string[] | undefined
  #terms = 0

  constructor(world: World, name: string) {
    this.name = name
    this.#world = world
    const partition = partitionSupervisor.provide({
      actors: {
        acquire: fromPromise<Lease | undefined, { readonly partition: number }>(async ({ input }) =>
          this.#acquire(input.partition),
        ),
        open: fromPromise<void, PartitionWork>(async ({ input }) => this.#open(input.partition)),
        drain: fromPromise<void, PartitionWork>(({ input }) => this.#drain(input.partition)),
        forget: fromPromise<void, PartitionWork>(async ({ input }) => {
          this.serving.delete(input.partition)
        }),
        renew: fromCallback<PartitionEvent, PartitionWork>(() => {}),
      },
      guards: {
        isRefused: ({ context, event }) => {
          if (this.deadly.delete(context.partition)) throw new Error('test')
          return 'output' in event && event.output === undefined
        },
      },
    })
    this.#actor = createActor(nodeSupervisor.provide({ actors: { partition } }), {
      clock: world.clock,
      input: { name, partitions, retryAfterMs, pauseMs, paceMs, now: () => world.clock.now() },
    })
    this.#actor.on('escalated', ({ partition: number, until }) => {
      this.escalated.push([number, until - world.clock.now()])
    })
    this.#actor.on('avoidedChanged', ({ avoided }) => {
      this.avoided = [...avoided.keys()]
      for (const node of world.nodes.values()) node.tellAgain()
    })
    this.#actor.start()
  }

  get state(): string {
    return this.#actor.getSnapshot().value
  }

  get share(): readonly number[] {
    return [...this.serving].toSorted((a, b) => a - b)
  }

  tell(...names: readonly string[]): void {
    this.#names = names
    this.tellAgain()
  }

  /** It hears what the others stay away from. */
  tellAgain(): void {
    if (this.state !== 'running' || this.#names === undefined) return
    this.#actor.send({ type: 'members', names: this.#names, avoided: this.#world.avoided })
  }

  /** These partitions fail as often as they may, and once more. */
  async break(...broken: readonly number[]): Promise<void> {
    for (let failures = 0; failures <= endurance.intensity; failures++) {
      if (failures > 0) await this.#world.pass(pauseMs)
      for (const partition of broken) this.hit(partition, { type: 'failed', error: new Error('test') })
      await flushed()
    }
  }

  vacated(partition: number): void {
    if (this.state === 'running') this.#actor.send({ type: 'vacated', partition })
  }

  stop(): void {
    this.#actor.send({ type: 'stop' })
  }

  /** Tells the supervisor of one of its partitions. */
  hit(partition: number, event: PartitionEvent): void {
    partitionsOf(this.#actor).get(partition)!.send(event)
  }

  #acquire(partition: number): Lease | undefined {
    this.asked.push(partition)
    const owner = this.#world.owners.get(partition)
    if (owner !== undefined && owner !== this.name) return undefined
    this.#world.owners.set(partition, this.name)
    return { partition, term: ++this.#terms, trustedUntil: 0 }
  }

  #open(partition: number): void {
    if (this.#world.owners.get(partition) !== this.name || this.serving.has(partition)) {
      this.#world.wrongs.push(
        `${this.name} opens ${partition}, which ${this.#world.owners.get(partition)} has`,
      )
    }
    this.serving.add(partition)
  }

  async #drain(partition: number): Promise<void> {
    this.given.push(partition)
    if (this.heldUp.has(partition)) {
      await new Promise<void>(resolve => {
        this.heldUp.set(partition, resolve)
      })
      this.heldUp.delete(partition)
    }
    this.serving.delete(partition)
    if (this.#world.owners.get(partition) === this.name) this.#world.vacate(partition)
  }
}

async function flushed(): Promise<void> {
  await new Promise(resolve => {
    setImmediate(resolve)
  })
}

function shareOf(name: string, ...names: readonly string[]): readonly number[] {
  return [...partitionsFor(name, names, partitions)]
}

/** Two nodes that have shared everything. */
async function settledPair(): Promise<{ world: World; a: TestNode; b: TestNode }> {
  const world = new World()
  const [a, b] = [world.start('a'), world.start('b')]
  await world.tell('a', 'b')
  return { world, a, b }
}

describe('a node supervisor', () => {
  it('takes nothing before it knows who is alive', async () => {
    const world = new World()
    const node = world.start('a')

    await world.pass(2 * pauseMs)

    expect(node.asked).toEqual([])
  })

  it('takes everything when it is alone', async () => {
    const world = new World()
    const node = world.start('a')

    await world.tell('a')

    expect(node.share).toEqual(all)
  })

  it('takes its share only when it is not', async () => {
    const { a, b } = await settledPair()

    expect(a.share).toEqual(shareOf('a', 'a', 'b'))
    expect(b.share).toEqual(shareOf('b', 'a', 'b'))
    expect(a.asked.toSorted((x, y) => x - y)).toEqual(a.share)
  })

  it('gives a node that joins its share and keeps the rest', async () => {
    const world = new World()
    const a = world.start('a')
    await world.tell('a')
    const b = world.start('b')

    await world.tell('a', 'b')
    await world.pass(partitions * paceMs)

    expect(a.share).toEqual(shareOf('a', 'a', 'b'))
    expect(b.share).toEqual(shareOf('b', 'a', 'b'))
    expect(a.given.toSorted((x, y) => x - y)).toEqual(b.share)
  })

  it('serves what it has yet to give up, and gives up one at a time', async () => {
    const world = new World()
    const a = world.start('a')
    await world.tell('a')

    await world.tell('a', 'b')
    const given = [a.given.length]
    for (let round = 0; round < 3; round++) {
      await world.pass(paceMs - 10)
      given.push(a.given.length)
      await world.pass(10)
      given.push(a.given.length)
    }

    expect(given).toEqual([1, 1, 2, 2, 3, 3, 4])
    expect(a.share).toHaveLength(partitions - 4)
  })

  it('gives up the more slowly the more others do so at the same time', async () => {
    const world = new World()
    const a = world.start('a')
    await world.tell('a')

    await world.tell('a', 'b', 'c', 'd')
    await world.pass(3 * paceMs - 10)
    const before = a.given.length
    await world.pass(10)

    expect([before, a.given.length]).toEqual([1, 2])
  })

  it('does not give up faster when who is alive changes meanwhile', async () => {
    const world = new World()
    const a = world.start('a')
    await world.tell('a')
    await world.tell('a', 'b')
    await world.pass(paceMs / 2)

    await world.tell('a', 'b', 'c')
    await world.pass(2 * paceMs - 10)
    const before = a.given.length
    await world.pass(10)

    expect([before, a.given.length]).toEqual([2, 3])
  })

  it('keeps what is its own again before it was given up', async () => {
    const world = new World()
    const a = world.start('a')
    await world.tell('a')

    await world.tell('a', 'b')
    await world.tell('a')
    await world.pass(partitions * paceMs)

    expect(a.given).toHaveLength(1)
    expect(a.share).toEqual(all)
  })

  it('takes at once what was the share of a node that is gone', async () => {
    const { world, a, b } = await settledPair()
    b.stop()
    await world.pass(partitions * paceMs)

    a.tell('a')
    await flushed()

    expect(a.share).toEqual(all)
  })

  it('takes at once what is given up while it waits for it', async () => {
    const { world, a, b } = await settledPair()
    a.tell('a')
    await flushed()
    const [partition] = b.share

    b.hit(partition!, { type: 'release' })
    await flushed()

    expect(a.share).toEqual([...shareOf('a', 'a', 'b'), partition].toSorted((x, y) => x! - y!))
    expect(world.wrongs).toEqual([])
  })

  it('asks for nothing that is not its share, even when it is given up', async () => {
    const { a, b } = await settledPair()
    const [partition] = b.share
    const before = a.asked.length

    b.hit(partition!, { type: 'release' })
    await flushed()

    expect(a.asked).toHaveLength(before)
  })

  it('does not take again what failed while it waited to be given up', async () => {
    const world = new World()
    const a = world.start('a')
    await world.tell('a')
    await world.tell('a', 'b')
    const last = shareOf('b', 'a', 'b').at(-1)!

    a.hit(last, { type: 'failed', error: new Error('test') })
    await world.pass(partitions * paceMs + 2 * pauseMs)

    expect(a.share).toEqual(shareOf('a', 'a', 'b'))
  })

  it('starts a partition supervisor again that died of an error', async () => {
    const world = new World()
    const node = world.start('a')
    node.deadly.add(3)

    await world.tell('a')
    await world.pass(pauseMs)

    expect(node.share).toEqual(all)
    expect(node.asked.filter(partition => partition === 3)).toHaveLength(2)
  })

  it('gives up a partition whose supervisor has died and was started again', async () => {
    const world = new World()
    const node = world.start('a')
    node.deadly.add(shareOf('b', 'a', 'b')[0]!)
    await world.tell('a')

    await world.tell('a', 'b')
    await world.pass(partitions * paceMs)

    expect(node.share).toEqual(shareOf('a', 'a', 'b'))
  })
})

describe('a node supervisor whose partition fails too often', () => {
  it('stays away from it for a while, and the other one takes it, then gives it back', async () => {
    const { world, a, b } = await settledPair()
    const [partition] = a.share

    await a.break(partition!)
    await flushed()
    const during = [a.share.includes(partition!), b.share.includes(partition!), [...a.avoided]]
    await world.pass(endurance.shortestAwayMs - 100)
    const atTheEnd = b.share.includes(partition!)
    await world.pass(200)

    expect(during).toEqual([false, true, [partition]])
    expect(atTheEnd).toBe(true)
    expect([a.share, b.share]).toEqual([shareOf('a', 'a', 'b'), shareOf('b', 'a', 'b')])
    expect(a.avoided).toEqual([])
    expect(a.escalated).toEqual([[partition, endurance.shortestAwayMs]])
    expect(world.wrongs).toEqual([])
  })

  it('does not give back what it has taken when others come and go meanwhile', async () => {
    const { world, a, b } = await settledPair()
    const [partition] = a.share
    await a.break(partition!)

    await world.tell('a', 'b', 'c')
    await world.tell('a', 'b')
    await world.pass(100)

    expect([a.share.includes(partition!), b.share.includes(partition!)]).toEqual([false, true])
  })

  it('leaves it to nobody when it is alone, and tries again then', async () => {
    const world = new World()
    const node = world.start('a')
    await world.tell('a')

    await node.break(3)
    await world.pass(endurance.shortestAwayMs - 10)
    const before = node.share.includes(3)
    await world.pass(10)

    expect(before).toBe(false)
    expect(node.share).toEqual(all)
  })

  it('goes on when it stays away from everything, for longer and longer', async () => {
    const world = new World()
    const node = world.start('a')
    await world.tell('a')
    await node.break(...all)
    const left = [node.share.length, node.state]

    await world.pass(endurance.shortestAwayMs)
    node.hit(3, { type: 'failed', error: new Error('test') })
    await world.pass(endurance.shortestAwayMs)
    const again = node.share
    await world.pass(endurance.shortestAwayMs + 100)

    expect(left).toEqual([0, 'running'])
    expect(again).toEqual(all.filter(partition => partition !== 3))
    expect(node.share).toEqual(all)
    expect(node.escalated.at(-1)).toEqual([3, 2 * endurance.shortestAwayMs])
  })

  it('stops while it stays away', async () => {
    const world = new World()
    const node = world.start('a')
    await world.tell('a')
    await node.break(3)

    node.stop()
    await flushed()

    expect(node.state).toBe('stopped')
    expect(world.owners.size).toBe(0)
  })
})

describe('a node supervisor that stops', () => {
  it('has nothing left when it has stopped', async () => {
    const world = new World()
    const node = world.start('a')
    await world.tell('a')

    node.stop()
    await flushed()

    expect(node.state).toBe('stopped')
    expect(world.owners.size).toBe(0)
  })

  it('gives up everything at once when nobody else waits for it', async () => {
    const world = new World()
    const node = world.start('a')
    await world.tell('a')

    node.stop()

    expect(node.given).toHaveLength(partitions)
  })

  it('gives up one at a time what others wait for', async () => {
    const { world, a, b } = await settledPair()
    const share = b.share.length
    b.stop()
    a.tell('a')

    const given = [b.given.length]
    await world.pass(paceMs)
    given.push(b.given.length)
    await world.pass(share * paceMs)

    expect(given).toEqual([1, 2])
    expect(b.state).toBe('stopped')
    expect(a.share).toEqual(all)
  })

  it('waits until the last partition is drained', async () => {
    const world = new World()
    const node = world.start('a')
    node.heldUp.set(7, () => {})
    await world.tell('a')

    node.stop()
    await world.pass(pauseMs)
    const before = node.state
    node.heldUp.get(7)!()
    await flushed()

    expect([before, node.state]).toEqual(['stopping', 'stopped'])
  })

  it.each(['failed', 'leaseLost'] as const)(
    'stops although a partition it yet had to give up %s',
    async type => {
      const { world, a, b } = await settledPair()
      const last = b.share.at(-1)!
      b.stop()
      a.tell('a')

      b.hit(last, type === 'failed' ? { type, error: new Error('test') } : { type })
      await world.pass(partitions * paceMs + 2 * pauseMs)

      expect(b.state).toBe('stopped')
      expect(b.share).toEqual([])
    },
  )

  it('stops before it knew who is alive', async () => {
    const node = new World().start('a')

    node.stop()
    await flushed()

    expect(node.state).toBe('stopped')
  })

  it('gives back what it was granted while it stopped', async () => {
    const world = new World()
    const node = world.start('a')

    node.tell('a')
    node.stop()
    await flushed()

    expect(node.state).toBe('stopped')
    expect(world.owners.size).toBe(0)
    expect(world.wrongs).toEqual([])
  })
})

describe('node supervisors together', () => {
  it('own nothing twice, everything in the end, and nothing once they stopped, whatever happens', async () => {
    const names = ['a', 'b', 'c']
    const nodes = fc.subarray(names, { minLength: 1 })
    const step = fc.oneof(
      fc.record({ type: fc.constant('tell' as const), to: fc.constantFrom(...names), names: nodes }),
      fc.record({ type: fc.constant('pass' as const), ms: fc.constantFrom(10, 30, 250, 1_000) }),
      fc.record({
        type: fc.constantFrom('failed' as const, 'leaseLost' as const, 'broken' as const),
        to: fc.constantFrom(...names),
        partition: fc.constantFrom(...all),
      }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 15 }), nodes, async (steps, survivors) => {
        const world = new World()
        for (const name of names) world.start(name)
        for (const next of steps) {
          if (next.type === 'pass') await world.pass(next.ms)
          else if (next.type === 'tell') world.nodes.get(next.to)!.tell(...new Set([next.to, ...next.names]))
          else if (next.type === 'broken') await world.nodes.get(next.to)!.break(next.partition)
          else if (next.type === 'failed') {
            world.nodes.get(next.to)!.hit(next.partition, { type: 'failed', error: new Error('test') })
          } else loseLease(world, next.to, next.partition)
          const served = [...world.nodes.values()].flatMap(node => node.share)
          expect(new Set(served).size).toBe(served.length)
        }

        for (const name of names) if (!survivors.includes(name)) world.nodes.get(name)!.stop()
        await world.tell(...survivors)
        await world.pass(partitions * paceMs * 2 + 2 * pauseMs)
        while (survivors.some(name => world.nodes.get(name)!.avoided.length > 0)) await world.pass(1_000)
        await world.pass(1_000)
        const owners = all.map(partition => world.owners.get(partition))
        const shares = survivors.map(name => world.nodes.get(name)!.share)
        for (const name of survivors) world.nodes.get(name)!.stop()
        await world.pass(partitions * paceMs)

        expect(world.wrongs).toEqual([])
        expect(owners).toEqual(all.map(partition => ownerOf(partition, survivors)))
        expect(shares).toEqual(survivors.map(name => shareOf(name, ...survivors)))
        expect([...world.nodes.values()].map(node => node.state)).toEqual(names.map(() => 'stopped'))
        expect(world.owners.size).toBe(0)
      }),
      { numRuns: 40 },
    )
  })
})

/** The lease of a partition that the node serves expires at the server, and the node notices. */
function loseLease(world: World, name: string, partition: number): void {
  if (!world.nodes.get(name)!.serving.has(partition)) return
  world.owners.delete(partition)
  world.nodes.get(name)!.hit(partition, { type: 'leaseLost' })
}
