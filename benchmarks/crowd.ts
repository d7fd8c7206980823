import { setTimeout as pause } from 'node:timers/promises'

import {
  isRuntimeError,
  type Client,
  type InstanceHandle,
  type InstanceSummary,
  type Workflow,
} from '../src/index.ts'
import { inLanes } from './lanes.ts'
import type { ProgressLine } from './progress-line.ts'
import { untilSoMany } from './until.ts'

/** How many starts or reads are on their way at a time. */
const concurrency = 512
const lookEveryMs = 200
/** What NATS has not answered by then, however often it is asked, it never will. */
const giveUpAfterMs = 120_000

export interface CrowdOptions {
  readonly client: Client
  readonly count: number
  readonly interrupted: AbortSignal
  /** Sets their ids apart from those of other crowds of the workflow. */
  readonly prefix: string
  readonly progress: ProgressLine
  readonly workflow: string
}

/** Many instances of one workflow, numbered from 0. */
export class Crowd<TWorkflow extends Workflow> {
  readonly count: number
  readonly #options: CrowdOptions

  constructor(options: CrowdOptions) {
    this.count = options.count
    this.#options = options
  }

  idOf(index: number): string {
    return `${this.#options.prefix}${index}`
  }

  handle(index: number): InstanceHandle<TWorkflow> {
    const { client, workflow } = this.#options
    return client.instance<TWorkflow>(workflow, this.idOf(index))
  }

  /** Starts them all, as fast as the client can; answers how many a second. */
  async start(input?: (index: number) => unknown): Promise<number> {
    const { client, count, interrupted: signal, progress, workflow } = this.#options
    let started = 0
    return inLanes(count, concurrency, async index => {
      const options = { id: this.idOf(index), input: input?.(index), signal }
      await this.#whileBusy(() => client.start(workflow, options))
      progress.count(++started, count, 'starts are stored')
    })
  }

  /** Those that are stored, as the headers of their records tell. */
  list(): Promise<ReadonlyMap<string, InstanceSummary>> {
    const byId = new Map<string, InstanceSummary>()
    return this.#whileBusy(async () => {
      byId.clear()
      await this.#each(row => byId.set(row.address.id, row))
      return byId
    })
  }

  /** How many are stored, and of how many of them that is true. */
  tally(isCounted: (row: InstanceSummary) => boolean): Promise<{ stored: number; counted: number }> {
    return this.#whileBusy(async () => {
      const found = { stored: 0, counted: 0 }
      await this.#each(row => {
        found.stored++
        if (isCounted(row)) found.counted++
      })
      return found
    })
  }

  /** Reads every record and looks at it. */
  async check(look: (handle: InstanceHandle<TWorkflow>) => Promise<void>): Promise<void> {
    const { count, interrupted, progress } = this.#options
    let checked = 0
    await inLanes(count, concurrency, async index => {
      interrupted.throwIfAborted()
      await this.#whileBusy(() => look(this.handle(index)))
      progress.count(++checked, count, 'instances are checked')
    })
  }

  /**
   * Looks until all of them are so far.
   *
   * @throws Error when two minutes change nothing
   */
  async reach(what: string, look: () => Promise<number>): Promise<void> {
    const { count, interrupted: signal, progress } = this.#options
    await untilSoMany(count, what, look, { everyMs: lookEveryMs, progress, signal })
  }

  /** Looks until all of them are stored and none is in memory. */
  rest(resident: () => Promise<number>): Promise<void> {
    return this.reach('instances are at rest', async () => {
      const awake = await resident()
      return awake > 0 ? Math.max(0, this.count - awake) : (await this.tally(() => true)).stored
    })
  }

  async #each(look: (row: InstanceSummary) => void): Promise<void> {
    const { client, interrupted: signal, prefix, workflow } = this.#options
    for await (const row of client.list({ workflow }, { signal })) {
      if (row.address.id.startsWith(prefix)) look(row)
    }
  }

  /** Does again what NATS was too busy to answer: what may be done twice. */
  async #whileBusy<T>(work: () => Promise<T>): Promise<T> {
    const giveUpAt = performance.now() + giveUpAfterMs
    for (;;) {
      try {
        return await work()
      } catch (error) {
        if (!isRuntimeError(error, 'STORE_UNAVAILABLE') || performance.now() > giveUpAt) throw error
        await pause(lookEveryMs, undefined, { signal: this.#options.interrupted })
      }
    }
  }
}
