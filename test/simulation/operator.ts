import { isRuntimeError } from '../../actors/errors.ts'
import type { Address } from '../../actors/address.ts'
import { poolWorkflow } from '../../actors/pool.ts'
import { isFinal } from '../../actors/record.ts'
import { decodeRecord } from '../../src/codec/record.ts'
import { Client } from '../../src/client/client.ts'
import type { ClientTransport } from '../../src/nats/transport.ts'
import type { Job } from './outside.ts'
import type { SimProcess } from './process.ts'
import type { SimServer } from './server.ts'
import type { World } from './world.ts'

export interface OperatorContext {
  /** How long between two things it does, on average. */
  readonly paceMs: number
  readonly process: SimProcess
  readonly server: SimServer
  readonly transport: ClientTransport
  readonly world: World
}

const retryMs = 100

/** What an answer may say that leaves nothing to be done. */
const settled = ['INSTANCE_FINISHED', 'INSTANCE_SUSPENDED', 'STEP_FAILED', 'TIMEOUT'] as const

/**
 * Somebody who may pause and resume instances and workflows as he likes, and cancel some, until it is calm: then he lets
 * all of them go on, and cancels what would never end.
 */
export class Operator {
  readonly #context: OperatorContext
  readonly #client: Client
  readonly #mayCancel: boolean
  readonly #mayPause: boolean
  #count = 0
  #isCalm = false

  constructor(context: OperatorContext) {
    const { process, transport } = context
    this.#context = context
    this.#mayPause = context.world.random.chance(0.6)
    this.#mayCancel = context.world.random.chance(0.4)
    this.#client = new Client({
      ...transport,
      clock: process.clock,
      nextId: () => `operator-${++this.#count}`,
      close: async () => {},
    })
  }

  calm(): void {
    this.#isCalm = true
  }

  /** Does not end by itself: a pause may arrive late. */
  async run(): Promise<void> {
    const { paceMs, process, world } = this.#context
    for (;;) {
      await process.sleep(world.random.between(0, 2 * paceMs))
      const endless = this.#isCalm ? this.#pickEndless() : undefined
      if (endless !== undefined) {
        await this.#cancel(endless)
        continue
      }
      if (this.#mayCancel && !this.#isCalm && world.random.chance(0.25)) {
        await this.#cancelAny()
        continue
      }
      if (!this.#mayPause) continue
      if (world.random.chance(0.3) || this.#isCalm) await this.#controlWorkflow()
      const target = this.#pick()
      if (target === undefined) continue
      if (this.#isCalm || world.random.chance(0.3)) await this.#control(target, 'resume')
      else await this.#control(target, 'pause')
    }
  }

  /** Once it is calm, only what is still paused is resumed. */
  async #controlWorkflow(): Promise<void> {
    const { process, server, transport, world } = this.#context
    const scopes = this.#isCalm ? [...server.namespace.pauses.keys()] : [undefined, 'ledger', 'chore']
    if (scopes.length === 0) return
    const scope = world.random.pick(scopes)
    const pause = this.#isCalm || world.random.chance(0.5) ? undefined : { at: process.clock.now() }
    for (;;) {
      try {
        await transport.pauses.set(scope, pause)
        return
      } catch (error) {
        if (!isRuntimeError(error, 'STORE_UNAVAILABLE')) throw error
      }
      await process.sleep(retryMs)
    }
  }

  #pick(): Address | undefined {
    const { server, world } = this.#context
    const all = [...server.namespace.records.values()].filter(
      ({ summary }) => !this.#isCalm || summary?.status === 'paused',
    )
    return all.length === 0 ? undefined : world.random.pick(all).address
  }

  /** Tries until it is known to be durable. */
  #control({ workflow, id }: Address, what: 'pause' | 'resume'): Promise<void> {
    const options = { id: `operator-${++this.#count}`, timeout: '2s' } as const
    return this.#persist(() => this.#client.instance(workflow, id)[what](options))
  }

  /** Ends a ledger or its chore. Of a fleet everyone comes home, or its harvest would be another one. */
  async #cancelAny(): Promise<void> {
    const { server, world } = this.#context
    const { random } = world
    const all = [...server.namespace.records.values()].filter(
      ({ address: { workflow }, data, summary }) =>
        workflow !== poolWorkflow &&
        decodeRecord(data).parent?.index === undefined &&
        (random.chance(0.1) || !isFinal(summary!.status)),
    )
    const chores = all.filter(({ address }) => address.workflow === 'chore')
    if (all.length === 0) return
    await this.#cancel(random.pick(chores.length > 0 && random.chance(0.5) ? chores : all).address)
  }

  /** A chore that goes on until somebody cancels it, while its parent waits. */
  #pickEndless(): Address | undefined {
    const all = [...this.#context.server.namespace.records.values()]
    return all.find(({ address, data, summary }) => {
      if (address.workflow !== 'chore' || isFinal(summary!.status)) return false
      const { parent, snapshot } = decodeRecord(data)
      const { job } = (snapshot.context ?? {}) as { readonly job?: Job }
      return parent?.index === undefined && job?.durationMs === Infinity && job.patienceMs === Infinity
    })?.address
  }

  async #cancel({ workflow, id }: Address): Promise<void> {
    const { random } = this.#context.world
    const options = {
      force: random.chance(0.4),
      grace: Math.round(random.skewed(0, 4_000)),
      id: `operator-${++this.#count}`,
      timeout: '2s',
    } as const
    await this.#persist(() => this.#client.instance(workflow, id).cancel(options))
  }

  async #persist(attempt: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await attempt()
        return
      } catch (error) {
        if (settled.some(code => isRuntimeError(error, code))) return
        if (!isRuntimeError(error, 'STORE_UNAVAILABLE')) throw error
      }
      await this.#context.process.sleep(retryMs)
    }
  }
}
