import { isRuntimeError } from '../../actors/errors.ts'
import type { Address } from '../../actors/address.ts'
import { isFinal } from '../../actors/record.ts'
import { decodeRecord } from '../../src/codec/record.ts'
import { Client } from '../../src/client/client.ts'
import type { ClientTransport } from '../../src/nats/transport.ts'
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
const settled = ['INSTANCE_FINISHED', 'INSTANCE_SUSPENDED', 'TIMEOUT'] as const

/**
 * Somebody who pauses and resumes instances and workflows as he likes, and maybe cancels some, until it is calm: then he
 * lets all of them go on.
 */
export class Operator {
  readonly #context: OperatorContext
  readonly #client: Client
  readonly #mayCancel: boolean
  #count = 0
  #isCalm = false

  constructor(context: OperatorContext) {
    const { process, transport } = context
    this.#context = context
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
      if (this.#mayCancel && !this.#isCalm && world.random.chance(0.25)) {
        await this.#cancel()
        continue
      }
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
  async #cancel(): Promise<void> {
    const { server, world } = this.#context
    const { random } = world
    const all = [...server.namespace.records.values()].filter(
      ({ data, summary }) =>
        decodeRecord(data).parent?.index === undefined && (random.chance(0.1) || !isFinal(summary!.status)),
    )
    const chores = all.filter(({ address }) => address.workflow === 'chore')
    if (all.length === 0) return
    const { workflow, id } = random.pick(chores.length > 0 && random.chance(0.5) ? chores : all).address
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
