import type { Incident } from '../../actors/incident.ts'
import type { Address } from '../../actors/address.ts'
import { isRuntimeError } from '../../actors/errors.ts'
import { isFinal } from '../../actors/record.ts'
import { Client } from '../../src/client/client.ts'
import { decodeRecord } from '../../src/codec/record.ts'
import type { ClientTransport } from '../../src/nats/transport.ts'
import { formatAddress } from '../../src/workflow/address.ts'
import { entryOf, type Bugs } from './bugs.ts'
import { keptEntry } from './kept-incidents.ts'
import type { SimProcess } from './process.ts'
import type { SimServer } from './server.ts'
import type { World } from './world.ts'

export interface MenderContext {
  readonly bugs: Bugs
  /** How long between two things it does, on average. */
  readonly paceMs: number
  readonly process: SimProcess
  readonly server: SimServer
  readonly transport: ClientTransport
  readonly world: World
}

type Remedy = 'fail' | 'retry' | 'skip'

const retryMs = 100

/** What an answer may say that leaves nothing to be done. */
const expected = ['INSTANCE_FINISHED', 'INSTANCE_NOT_BEGUN', 'STEP_FAILED', 'TIMEOUT'] as const

/** Somebody who deals with incidents: has a step made again, before or after the bug is fixed, drops it, or gives up. */
export class Mender {
  readonly #context: MenderContext
  readonly #client: Client
  #count = 0
  #isCalm = false

  constructor(context: MenderContext) {
    const { process, transport } = context
    this.#context = context
    this.#client = new Client({
      ...transport,
      clock: process.clock,
      nextId: () => `mender-${++this.#count}`,
      close: async () => {},
    })
  }

  calm(): void {
    this.#isCalm = true
  }

  /** Does not end by itself: there may be another incident. */
  async run(): Promise<void> {
    const { bugs, paceMs, process, world } = this.#context
    for (;;) {
      await process.sleep(world.random.between(0, 2 * paceMs))
      const target = this.#pick()
      if (target === undefined) continue
      const { address, incident } = target
      const entry = entryOf(incident.error)
      if (entry !== undefined && (this.#isCalm || world.random.chance(0.5))) bugs.fix(entry)
      await this.#deal(address, this.#remedyFor(entry, endsState(incident) ? undefined : keptEntry(incident)))
    }
  }

  #pick(): { readonly address: Address; readonly incident: Incident } | undefined {
    const { server, world } = this.#context
    const all = [...server.namespace.records.values()].filter(
      ({ summary }) => summary?.status === 'suspended',
    )
    if (all.length === 0) return undefined
    const { address, data } = world.random.pick(all)
    return { address, incident: decodeRecord(data).incident! }
  }

  #remedyFor(entry: string | undefined, kept: string | undefined): Remedy {
    const { random } = this.#context.world
    if (entry === undefined) return random.chance(0.7) ? 'retry' : 'skip'
    if (entry === kept && isSkippable(entry) && random.chance(0.3)) return 'skip'
    return !this.#isCalm && random.chance(0.05) ? 'fail' : 'retry'
  }

  /** Until it is done: what comes late must not meet the next incident. */
  async #deal({ workflow, id }: Address, remedy: Remedy): Promise<void> {
    const { process } = this.#context
    const envelopeId = `mender-${++this.#count}`
    const handle = this.#client.instance(workflow, id)
    for (;;) {
      try {
        await handle[remedy]({ id: envelopeId, timeout: '2s' })
        return
      } catch (error) {
        // Its owner may not know yet that another process of its name has suspended it.
        if (isRuntimeError(error, 'INSTANCE_NOT_SUSPENDED')) return
        if (expected.some(code => isRuntimeError(error, code))) break
        if (!isRuntimeError(error, 'STORE_UNAVAILABLE')) throw error
      }
      await process.sleep(retryMs)
    }
    while (!this.#isDone({ workflow, id }, envelopeId)) await process.sleep(retryMs)
  }

  #isDone(address: Address, envelopeId: string): boolean {
    const stored = this.#context.server.namespace.records.get(formatAddress(address))!
    if (stored.summary?.status !== 'suspended' || isFinal(stored.summary.status)) return true
    return decodeRecord(stored.data).control?.recent.includes(envelopeId) === true
  }
}

/** Whether it keeps the end of a state: that may not be dropped, though something else may have thrown at its retry. */
function endsState({ cause }: Incident): boolean {
  return cause?.type === 'timer' && cause.event.type !== 'RANG'
}

/** Whether the machine comes to an end without it: what else ends a state would never come again. */
function isSkippable(entry: string): boolean {
  const [what, tag] = entry.split(' ')
  return tag === undefined || ['did', 'failed', 'heard', 'rang', 'told'].includes(what!)
}
