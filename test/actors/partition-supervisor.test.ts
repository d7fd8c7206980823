import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createActor, fromCallback, fromPromise, SimulatedClock } from 'xstate'

import { endurance } from '../../actors/endurance.ts'
import type { Lease } from '../../actors/ports.ts'
import {
  partitionSupervisor,
  type PartitionEvent,
  type PartitionWork,
} from '../../actors/supervisors/partition.ts'

const [retryAfterMs, pauseMs] = [250, 1_000]

type Work = 'acquire' | 'open' | 'drain' | 'forget'

interface Asked {
  readonly what: Work
  readonly resolve: (lease?: Lease) => void
  readonly reject: (error: Error) => void
}

/** A partition supervisor whose node does nothing by itself: the test says when something is done, and how it went. */
class Bench {
  readonly clock = new SimulatedClock()
  /** Everything the node was asked to do, with the term of the lease. */
  readonly log: string[] = []
  /** What it must never be asked. */
  readonly wrongs: string[] = []
  /** Asked for and not done. */
  asked: Asked[] = []
  /** Terms being renewed. */
  readonly renewing: number[] = []
  /** The term of the lease that the node holds, as whoever grants leases knows it. */
  held: number | undefined
  /** For how long the node was told to stay away, each time. */
  readonly escalated: number[] = []
  readonly #actor
  #term = 0

  constructor(isWanted = false) {
    const logic = partitionSupervisor.provide({
      actors: {
        acquire: fromPromise<Lease | undefined, { readonly partition: number }>(() => {
          if (this.held !== undefined) this.wrongs.push(`asked for a lease while it held term ${this.held}`)
          return this.#ask('acquire') as Promise<Lease | undefined>
        }),
        open: this.#work('open'),
        drain: this.#work('drain'),
        forget: this.#work('forget'),
        renew: fromCallback<PartitionEvent, PartitionWork>(({ input }) => {
          this.renewing.push(input.lease.term)
          return () => void this.renewing.splice(this.renewing.indexOf(input.lease.term), 1)
        }),
      },
      actions: { escalate: ({ context }) => void this.escalated.push(context.strain.awayMs) },
    })
    this.#actor = createActor(logic, {
      clock: this.clock,
      input: { partition: 3, isWanted, retryAfterMs, pauseMs, now: () => this.clock.now() },
    })
    this.#actor.start()
  }

  get state(): string {
    const { value } = this.#actor.getSnapshot()
    return typeof value === 'string' ? value : Object.values(value).join()
  }

  get isSettled(): boolean {
    return this.#actor.getSnapshot().hasTag('settled')
  }

  get isHeld(): boolean {
    return this.#actor.getSnapshot().hasTag('held')
  }

  send(type: PartitionEvent['type']): this {
    this.#actor.send(type === 'failed' ? { type, error: new Error('test') } : { type })
    return this
  }

  /** The node has taken the lease. */
  async granted(): Promise<this> {
    this.held = ++this.#term
    return this.#done('acquire', { partition: 3, term: this.held, trustedUntil: 0 })
  }

  /** Another node holds the lease. */
  refused(): Promise<this> {
    return this.#done('acquire')
  }

  opened(): Promise<this> {
    return this.#done('open')
  }

  drained(): Promise<this> {
    this.held = undefined
    return this.#done('drain')
  }

  forgot(): Promise<this> {
    this.held = undefined
    return this.#done('forget')
  }

  async failed(what: Work): Promise<this> {
    if (what !== 'acquire' && what !== 'open') this.held = undefined
    this.#take(what).reject(new Error('test'))
    return flushed(this)
  }

  /** That much time passes. */
  pass(durationMs: number): this {
    this.clock.increment(durationMs)
    return this
  }

  /** Begins again if it pauses, fails, and gives its lease back. */
  async failAgain(): Promise<this> {
    if (this.state === 'pausing') await this.pass(pauseMs).granted()
    return this.send('failed').drained()
  }

  isAsked(what: Work): boolean {
    return this.asked.some(asked => asked.what === what)
  }

  /** Everything asked for is done at once and succeeds, until nothing more happens. */
  async finish(): Promise<this> {
    for (let round = 0; round < 20; round++) {
      if (this.isAsked('acquire')) await this.granted()
      else if (this.isAsked('forget')) await this.forgot()
      else if (this.isAsked('drain')) await this.drained()
      else if (this.isAsked('open')) await this.opened()
      else this.pass(pauseMs)
    }
    return this
  }

  #work(what: Work) {
    return fromPromise<void, PartitionWork>(({ input }) => {
      const { term } = input.lease
      // What is forgotten may have been taken by others meanwhile; the rest is done for the lease that is held.
      if (what !== 'forget' && term !== this.held) this.wrongs.push(`asked to ${what} without the lease`)
      if (this.log.includes(`${what} ${term}`)) this.wrongs.push(`asked to ${what} term ${term} twice`)
      this.log.push(`${what} ${term}`)
      return this.#ask(what) as Promise<void>
    })
  }

  #ask(what: Work): Promise<Lease | void> {
    if (what === 'acquire') this.log.push('acquire')
    // Whoever drains or forgets lets go of what was opening.
    if (what === 'drain' || what === 'forget') this.asked = []
    return new Promise((resolve, reject) => this.asked.push({ what, resolve, reject }))
  }

  #take(what: Work): Asked {
    const index = this.asked.findIndex(asked => asked.what === what)
    if (index === -1) throw new Error(`nobody has asked to ${what}`)
    return this.asked.splice(index, 1)[0]!
  }

  #done(what: Work, lease?: Lease): Promise<this> {
    this.#take(what).resolve(lease)
    return flushed(this)
  }
}

async function flushed<T>(value: T): Promise<T> {
  await new Promise(resolve => {
    setImmediate(resolve)
  })
  return value
}

/** It fails that often. */
async function failing(bench: Bench, times: number): Promise<Bench> {
  for (let failures = 0; failures < times; failures++) await bench.failAgain()
  return bench
}

const states = {
  idle: async () => new Bench(),
  acquiring: async () => new Bench(true),
  waiting: async () => new Bench(true).refused(),
  pausing: async () => new Bench(true).failed('acquire'),
  opening: async () => new Bench(true).granted(),
  serving: async () => (await new Bench(true).granted()).opened(),
  draining: async () => (await (await new Bench(true).granted()).opened()).send('unwant'),
  forgetting: async () => (await (await new Bench(true).granted()).opened()).send('leaseLost'),
}
type StateName = keyof typeof states
const stateNames = Object.keys(states) as StateName[]

/** What each event does at once; where nothing is said it changes nothing. */
const reactions: Readonly<Record<StateName, Partial<Record<PartitionEvent['type'], string>>>> = {
  idle: { want: 'acquiring', release: 'released' },
  acquiring: {},
  waiting: { unwant: 'idle', release: 'released', vacated: 'acquiring' },
  pausing: { unwant: 'idle', release: 'released' },
  opening: { unwant: 'draining', release: 'draining', failed: 'draining', leaseLost: 'forgetting' },
  serving: { unwant: 'draining', release: 'draining', failed: 'draining', leaseLost: 'forgetting' },
  draining: { leaseLost: 'forgetting' },
  forgetting: {},
}
const eventTypes = ['want', 'unwant', 'release', 'vacated', 'leaseLost', 'failed'] as const

const reactionRows = stateNames.flatMap(state =>
  eventTypes.map(event => [state, event, reactions[state][event] ?? state] as const),
)

/** Where it ends up once everything is done. Idle and draining partitions are not wanted. */
function endOf(state: StateName, event: PartitionEvent['type']): string {
  if (event === 'release') return 'released'
  if (event === 'want') return 'serving'
  return event === 'unwant' || state === 'idle' || state === 'draining' ? 'idle' : 'serving'
}

const endRows = stateNames.flatMap(state =>
  eventTypes.map(event => [state, event, endOf(state, event)] as const),
)

describe('a partition supervisor', () => {
  it.each(reactionRows)('that is %s and hears %s is %s', async (state, event, next) => {
    const bench = await states[state]()

    bench.send(event)

    expect(bench.state).toBe(next)
  })

  it.each(endRows)('that is %s and hears %s ends up %s', async (state, event, end) => {
    const bench = await states[state]()

    await bench.send(event).finish()

    expect(bench.state).toBe(end)
    expect(bench.held !== undefined).toBe(end === 'serving')
    expect(bench.renewing).toEqual(end === 'serving' ? [bench.held] : [])
    expect(bench.wrongs).toEqual([])
  })

  it('takes, opens, drains in that order, under one lease that is renewed until it is given back', async () => {
    const bench = new Bench().send('want')
    await bench.granted()
    const opening = [...bench.renewing]
    await bench.opened()
    bench.send('unwant')
    const draining = [...bench.renewing]
    await bench.drained()

    expect(bench.log).toEqual(['acquire', 'open 1', 'drain 1'])
    expect([opening, draining, bench.renewing]).toEqual([[1], [1], []])
  })

  it('asks again after a while for a lease that another node holds', async () => {
    const bench = await new Bench(true).refused()

    const before = bench.pass(retryAfterMs - 1).state

    expect(before).toBe('waiting')
    expect(bench.pass(1).state).toBe('acquiring')
  })

  it('asks again at once for a lease that was given up while it asked', async () => {
    const bench = new Bench(true).send('vacated')

    await bench.refused()

    expect(bench.state).toBe('acquiring')
  })

  it('does not ask again at once when the lease was given up before it asked', async () => {
    const bench = await new Bench().send('vacated').send('want').refused()

    expect(bench.state).toBe('waiting')
  })

  it('asks once only for each time that a lease is given up', async () => {
    const bench = await (await new Bench(true).send('vacated').refused()).refused()

    expect(bench.state).toBe('waiting')
  })

  it('gives back at once a lease that it gets when it no longer wants it', async () => {
    const bench = await new Bench(true).send('unwant').granted()

    expect(bench.state).toBe('draining')
    expect((await bench.drained()).state).toBe('idle')
    expect(bench.log).toEqual(['acquire', 'drain 1'])
  })

  it('gives back at once a lease that it gets when it stops', async () => {
    const bench = await new Bench(true).send('release').granted()

    expect((await bench.drained()).state).toBe('released')
  })

  it.each(['acquire', 'open'] as const)('begins again after a pause when it failed to %s', async what => {
    const bench = what === 'acquire' ? new Bench(true) : await new Bench(true).granted()
    await bench.failed(what)
    if (what === 'open') await bench.drained()

    const before = bench.pass(pauseMs - 1).state

    expect(before).toBe('pausing')
    expect(bench.pass(1).state).toBe('acquiring')
  })

  it('begins again after a pause, under a new term, when a part of it failed', async () => {
    const bench = await (await states.serving()).send('failed').drained()

    const drained = bench.state
    await bench.finish()

    expect(drained).toBe('pausing')
    expect(bench.log).toEqual(['acquire', 'open 1', 'drain 1', 'acquire', 'open 2'])
  })

  it('begins again at once when it is wanted again while it drains', async () => {
    const bench = await (await states.draining()).send('want').drained()

    expect(bench.state).toBe('acquiring')
  })

  it('does not pause any more for a failure that it has recovered from', async () => {
    const bench = await (await (await states.serving()).send('failed').drained()).finish()

    await bench.send('unwant').send('want').drained()

    expect(bench.state).toBe('acquiring')
  })

  it('drops what it has when the lease is lost while it drains, and gives nothing back', async () => {
    const bench = (await states.draining()).send('leaseLost')

    expect(bench.state).toBe('forgetting')
    expect(bench.renewing).toEqual([])
    expect((await bench.forgot()).state).toBe('idle')
  })

  it.each(['drain', 'forget'] as const)('ends as if it had succeeded when it failed to %s', async what => {
    const bench = await states[what === 'drain' ? 'draining' : 'forgetting']()

    await (await bench.send('release').failed(what)).finish()

    expect(bench.state).toBe('released')
  })

  it('pauses as often as it may fail within a period, and escalates once when it fails again', async () => {
    const bench = await failing(await states.serving(), endurance.intensity)
    const before = [bench.state, bench.escalated.length]

    await bench.failAgain()

    expect(before).toEqual(['pausing', 0])
    expect(bench.state).toBe('idle')
    expect(bench.escalated).toEqual([endurance.shortestAwayMs])
    expect(bench.held).toBeUndefined()
    expect(bench.pass(10 * endurance.periodMs).state).toBe('idle')
  })

  it('counts what fails while it opens, too', async () => {
    const bench = new Bench(true)
    for (let failures = 0; failures <= endurance.intensity; failures++) {
      await (await (await bench.pass(pauseMs).granted()).failed('open')).drained()
    }

    expect(bench.escalated).toEqual([endurance.shortestAwayMs])
  })

  it('does not count failures that are longer ago than a period, nor leases that were lost or not to be had', async () => {
    const bench = await failing(await states.serving(), endurance.intensity)
    await bench.finish()
    bench.pass(endurance.periodMs)
    await failing(bench, endurance.intensity)
    await bench.finish()
    for (let losses = 0; losses <= endurance.intensity; losses++) {
      await bench.send('leaseLost').forgot()
      await (await bench.pass(pauseMs).failed('acquire')).pass(pauseMs).granted()
      await bench.opened()
    }

    expect(bench.escalated).toEqual([])
    expect(bench.state).toBe('serving')
  })

  it('escalates at the first failure after it came back, for twice as long each time, up to a limit', async () => {
    const bench = await failing(await states.serving(), endurance.intensity + 1)

    for (let round = 0; round < 6; round++) {
      await bench.send('want').granted()
      await bench.opened()
      bench.pass(endurance.periodMs - 1)
      await bench.failAgain()
    }

    expect(bench.escalated).toEqual([10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000])
  })

  it.each(['failed', 'unwant', 'leaseLost'] as const)(
    'begins to count anew once it has served for a period after it came back, and %s',
    async event => {
      const bench = await failing(await states.serving(), endurance.intensity + 1)
      await bench.send('want').granted()
      await bench.opened()
      bench.pass(endurance.periodMs)

      await bench.send(event).send('want').finish()
      await failing(bench, endurance.intensity - (event === 'failed' ? 1 : 0))
      const before = bench.escalated.length
      await bench.failAgain()

      expect(before).toBe(1)
      expect(bench.escalated).toEqual([10_000, 10_000])
    },
  )

  it('is still on trial when it was given up and wanted again before it served for a period', async () => {
    const bench = await failing(await states.serving(), endurance.intensity + 1)
    await bench.send('want').finish()

    await bench.send('unwant').send('want').finish()
    await bench.failAgain()

    expect(bench.escalated).toEqual([10_000, 20_000])
  })

  it('does not escalate when it stops', async () => {
    const bench = await failing(await states.serving(), endurance.intensity)
    await bench.pass(pauseMs).granted()

    await bench.send('failed').send('release').drained()

    expect(bench.escalated).toEqual([])
    expect(bench.state).toBe('released')
  })

  it('holds while it opens and serves, and is settled while nothing can be expected to happen soon', async () => {
    const tags = await Promise.all(
      stateNames.map(async state => {
        const { isHeld, isSettled } = await states[state]()
        return `${state}${isHeld ? ' held' : ''}${isSettled ? ' settled' : ''}`
      }),
    )

    expect(tags).toEqual([
      'idle settled',
      'acquiring',
      'waiting settled',
      'pausing settled',
      'opening held',
      'serving held settled',
      'draining',
      'forgetting',
    ])
  })

  it('owns nothing twice and nothing after it stopped, whatever comes in whatever order', async () => {
    const step = fc.constantFrom(
      ...eventTypes.filter(type => type !== 'release'),
      ...(['granted', 'refused', 'opened', 'drained', 'forgot', 'passed'] as const),
      ...(['acquire failed', 'open failed', 'drain failed', 'forget failed'] as const),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (steps, isWanted) => {
        const bench = new Bench(isWanted)
        for (const name of steps) await take(bench, name)
        const renewing = [...bench.renewing]
        await bench.send('release').finish()

        const opened = bench.log.filter(entry => entry.startsWith('open '))
        expect(bench.wrongs).toEqual([])
        expect(renewing.length).toBeLessThanOrEqual(1)
        expect(new Set(opened).size).toBe(opened.length)
        expect(bench.state).toBe('released')
        expect(bench.held).toBeUndefined()
        expect(bench.renewing).toEqual([])
      }),
      { numRuns: 300 },
    )
  })
})

/** One step of a random walk; does nothing when it is not the time for it. */
async function take(bench: Bench, step: string): Promise<void> {
  const work = { granted: 'acquire', refused: 'acquire', opened: 'open', drained: 'drain', forgot: 'forget' }
  if (step === 'passed') {
    bench.pass(pauseMs)
  } else if (step in work) {
    const how = step as keyof typeof work
    if (bench.isAsked(work[how] as Work)) await bench[how]()
  } else if (step.endsWith(' failed')) {
    const what = step.split(' ')[0] as Work
    if (bench.isAsked(what)) await bench.failed(what)
  } else {
    bench.send(step as PartitionEvent['type'])
  }
  await flushed(bench)
}
