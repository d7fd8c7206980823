import type { Envelope } from '../../actors/envelope.ts'
import { isRuntimeError } from '../../actors/errors.ts'
import { Client } from '../../src/client/client.ts'
import { digest } from '../../src/codec/digest.ts'
import type { ClientTransport } from '../../src/nats/transport.ts'
import type { Workflow } from '../../src/workflow/define-workflow.ts'
import { poolSize, type Permission } from './applicant.ts'
import type { Checker } from './checker.ts'
import type { Fleet, LedgerEvent } from './ledger.ts'
import type { Job } from './outside.ts'
import type { SimProcess } from './process.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

/** What senders do, in this run. */
export interface Traffic {
  readonly senders: number
  readonly instances: number
  readonly eventsEach: number
  /** The time within which they send. */
  readonly withinMs: number
  /** How likely each kind of event is, relative to the others. */
  readonly weights: Readonly<Record<LedgerEvent['type'] | 'MISFIT' | 'AGAIN', number>>
}

export interface SenderContext {
  readonly checker: Checker
  readonly process: SimProcess
  readonly traffic: Traffic
  readonly transport: ClientTransport
  readonly workflow: Workflow
  readonly world: World
}

/** How long a sender waits before it sends again what may not have arrived. */
const retryMs = 100

/**
 * A sender: starts the instances it sends to, then sends, each event only once the one before it is durable. When it does
 * not know whether one is, it sends it again under the same id.
 */
export class Sender {
  isDone = false
  readonly #context: SenderContext
  readonly #client: Client
  readonly #name: string
  readonly #random: Random
  readonly #ids: readonly string[]
  /** Counts the events sent to each instance. */
  #count = 0
  #envelopes = 0
  readonly #closed = new Set<string>()
  /** Sends what stands in an ordered source: the positions sent so far, with their events. */
  readonly #source: { readonly id: string; readonly event: LedgerEvent }[] = []
  readonly #isSource: boolean

  constructor(name: string, context: SenderContext) {
    const { process, traffic, transport, world } = context
    this.#context = context
    this.#name = name
    this.#random = world.random
    this.#isSource = world.random.chance(0.3)
    this.#client = new Client({
      ...transport,
      clock: process.clock,
      nextId: () => `${name}-${++this.#envelopes}`,
      close: async () => {},
    })
    const all = Array.from({ length: traffic.instances }, (_, index) => `i${index}`)
    this.#ids = all.filter(() => world.random.chance(0.7))
    if (this.#ids.length === 0) this.#ids = [world.random.pick(all)]
  }

  async run(): Promise<void> {
    const { process, traffic } = this.#context
    for (const id of this.#ids) await this.#start(id)
    const paceMs = traffic.withinMs / traffic.eventsEach
    const isBursty = this.#random.chance(0.3)
    for (let count = 0; count < traffic.eventsEach; count++) {
      const pauseMs = isBursty && count % 8 !== 0 ? 0 : this.#random.between(0, 2 * paceMs)
      if (pauseMs > 0) await process.sleep(pauseMs)
      await this.#step()
    }
    this.isDone = true
  }

  async #start(id: string): Promise<void> {
    const { checker, workflow } = this.#context
    await this.#persist(() => this.#client.start(workflow, { id, input: { opened: id } }))
    checker.started(id)
  }

  async #step(): Promise<void> {
    const kind = this.#pickKind()
    const id = this.#random.pick(this.#ids)
    if (kind === 'MISFIT') await this.#sendMisfit(id)
    else if (kind === 'AGAIN') await this.#again(id)
    else if (!this.#closed.has(id)) await this.#send(id, this.#event(kind))
  }

  async #send(id: string, event: LedgerEvent): Promise<void> {
    const { checker, workflow } = this.#context
    const handle = this.#client.instance(workflow, id)
    if (event.type === 'CLOSE') this.#closed.add(id)
    checker.sending(id, event)
    if (this.#isSource) {
      this.#source.push({ id, event })
      await this.#replay(this.#source.length - 1)
    } else if (this.#random.chance(0.2)) {
      await this.#update(id, event)
    } else {
      await this.#persist(() => handle.send(event, { id: event.tag }))
    }
  }

  /** Some ask again, whether an answer came or not. */
  async #update(id: string, event: LedgerEvent): Promise<void> {
    const { checker, workflow } = this.#context
    const handle = this.#client.instance(workflow, id)
    for (let asks = this.#random.chance(0.5) ? 1 : this.#random.whole(2, 3); asks > 0; asks--) {
      await this.#persist(async () => {
        try {
          const outcome = await handle.update(event, { id: event.tag, timeout: '5s' })
          checker.answered(id, event, outcome.type)
        } catch (error) {
          // It is durable; that no answer came says nothing.
          if (!isRuntimeError(error, 'TIMEOUT')) throw error
        }
      })
    }
  }

  /** What a sender does that begins anew: starts once more, or replays its source. */
  async #again(id: string): Promise<void> {
    await this.#start(id)
    if (this.#source.length > 0)
      await this.#replay(Math.max(0, this.#source.length - this.#random.whole(1, 12)))
  }

  async #replay(from: number): Promise<void> {
    const { workflow } = this.#context
    for (let position = from; position < this.#source.length; position++) {
      const { id, event } = this.#source[position]!
      // Under a new id each time: only the position tells that it came before.
      const envelopeId = `${event.tag}-${++this.#envelopes}`
      const source = { name: this.#name, position }
      await this.#persist(() => this.#client.instance(workflow, id).send(event, { id: envelopeId, source }))
    }
  }

  /** Sends what no instance can take. */
  async #sendMisfit(id: string): Promise<void> {
    const { checker, process, transport } = this.#context
    const envelopeId = `misfit-${this.#name}-${++this.#envelopes}`
    const base = { id: envelopeId, time: process.clock.now() }
    const event = { type: 'NOTE', tag: envelopeId }
    const input = { opened: 'otherwise' }
    const [code, envelope] = this.#random.pick<readonly [string, Envelope]>([
      [
        'INSTANCE_NOT_FOUND',
        { ...base, type: 'send', target: { workflow: 'ledger', id: `no-${id}` }, event },
      ],
      ['WORKFLOW_UNKNOWN', { ...base, type: 'send', target: { workflow: 'nothing', id }, event }],
      [
        'INSTANCE_EXISTS',
        { ...base, type: 'start', target: { workflow: 'ledger', id }, input, inputDigest: digest(input) },
      ],
    ])
    checker.misfit(envelopeId, code)
    await this.#persist(() => transport.inbox.publish(envelope))
  }

  #event(type: LedgerEvent['type']): LedgerEvent {
    const random = this.#random
    const tag = `${this.#name}.${++this.#count}`
    const job = {
      tag,
      durationMs: random.skewed(0, 2_500),
      failures: random.chance(0.6) ? 0 : random.whole(1, 4),
      patienceMs: random.between(0, 6_000),
    }
    switch (type) {
      case 'TIMER':
        return { type, tag, id: random.pick(['left', 'right']), delayMs: random.skewed(0, 12_000) }
      case 'CANCEL':
        return { type, tag, id: random.pick(['left', 'right']) }
      case 'JOB':
      case 'ERRAND':
      case 'ORDER':
        return { type, ...job }
      case 'CHORE':
        return { type, ...job, ...this.#turnOut() }
      case 'FLEET':
        return { type, ...this.#fleet(tag) }
      case 'PERMIT':
        return { type, ...this.#permission(tag) }
      case 'TELL':
        return { type, tag, to: random.pick(this.#ids) }
      case 'GRANTED':
      case 'RANG':
      case 'HEARD':
      case 'TOLD':
        throw new Error(`nobody sends ${type}`)
      case 'ACT':
      case 'CLOSE':
      case 'EMIT':
      case 'NOTE':
        return { type, tag }
    }
  }

  /**
   * Some chores never end by themselves; of some only the refusal of their start, or that somebody else has cancelled
   * them, can tell how they ended.
   */
  #turnOut(): Partial<Job> {
    const random = this.#random
    const patience = random.chance(0.5) ? { patienceMs: Number.POSITIVE_INFINITY } : {}
    if (random.chance(0.2)) return { durationMs: Number.POSITIVE_INFINITY, ...patience }
    return random.chance(0.15) ? { isRefused: true, patienceMs: Number.POSITIVE_INFINITY } : patience
  }

  #permission(tag: string): Permission {
    const random = this.#random
    return {
      tag,
      permits: random.whole(1, poolSize),
      priority: random.whole(1, 3),
      ...(random.chance(0.3) && { timeout: random.whole(1, 3_000) }),
      keepMs: random.between(0, 2_500),
      patienceMs: random.chance(0.5) ? Number.POSITIVE_INFINITY : random.between(0, 3_000),
    }
  }

  #fleet(tag: string): Fleet {
    const random = this.#random
    // So large that the results of a few make a chunk.
    const cargo = random.chance(0.1) ? '.'.repeat(9_000) : ''
    const isStrict = random.chance(0.3)
    // With many, what is told twice may come the second time when the first is no longer among the last.
    const count = cargo === '' && random.chance(0.25) ? random.whole(10, 24) : random.whole(1, 6)
    const jobs = Array.from({ length: count }, (_, index) => this.#ship(`${tag}/${index}${cargo}`))
    const mayNotEnd = jobs.some(({ durationMs }) => durationMs === Number.POSITIVE_INFINITY)
    const patienceMs = mayNotEnd || random.chance(0.3) ? random.between(0, 5_000) : Number.POSITIVE_INFINITY
    return { tag, isStrict, jobs, patienceMs }
  }

  /** One that always succeeds or always fails or never ends, whatever happens. */
  #ship(tag: string): Job {
    const random = this.#random
    const durationMs = random.chance(0.05) ? Number.POSITIVE_INFINITY : random.skewed(0, 500)
    const failures = random.chance(0.8) ? 0 : Number.POSITIVE_INFINITY
    return { tag, durationMs, failures, patienceMs: 0, isRefused: random.chance(0.1) }
  }

  #pickKind(): keyof Traffic['weights'] {
    const weights = Object.entries(this.#context.traffic.weights) as [keyof Traffic['weights'], number][]
    let left = this.#random.between(
      0,
      weights.reduce((sum, [, weight]) => sum + weight, 0),
    )
    for (const [kind, weight] of weights) {
      left -= weight
      if (left < 0) return kind
    }
    return 'NOTE'
  }

  /** Tries until it is known to be durable. */
  async #persist(attempt: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await attempt()
        return
      } catch (error) {
        if (!isRuntimeError(error, 'STORE_UNAVAILABLE')) throw error
        await this.#context.process.sleep(retryMs)
      }
    }
  }
}
