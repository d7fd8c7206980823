/**
 * Finds what the partitions taken over owe: running activities, undelivered effects, timers.
 *
 * Reading all headers costs about the same for one partition as for all of them (the server walks its blocks), so
 * the partitions taken at the same time share one scan. Records that owe work are loaded a bounded number at a
 * time: a restart with 100,000 busy instances must not stampede. A scan that fails is begun again.
 */
import type { Clock, ScannedRecord, Store } from '../../actors/ports.ts'
import type { Log } from './log.ts'

/** What takes up the records found. */
export interface Recoverer {
  recover(scanned: ScannedRecord): Promise<void>
}

/** A scan begins when no other partition has come for so long, */
const gatherMs = 20
/** or after this, however many still come. */
const mostGatherMs = 200
const retryMs = 500
/** Records being loaded at the same time. */
const permits = 256

export class Recovery {
  readonly #store: Store
  readonly #clock: Clock
  readonly #log: Log
  readonly #waiting = new Map<number, Recoverer>()
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined

  constructor(store: Store, clock: Clock, log: Log) {
    this.#store = store
    this.#clock = clock
    this.#log = log
  }

  /** Looks through the records of a partition soon; a later request for the same partition replaces it. */
  request(partition: number, recoverer: Recoverer): void {
    this.#waiting.set(partition, recoverer)
    this.#running ??= this.#run()
  }

  /** The partition is no longer of interest. */
  cancel(partition: number): void {
    this.#waiting.delete(partition)
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    try {
      await this.#gather()
      while (this.#waiting.size > 0 && !this.#stop.signal.aborted) await this.#scanWaiting()
    } finally {
      // In the same breath as the last look whether anybody waits: who asks after it must find that nobody scans any more.
      this.#running = undefined
    }
  }

  /** Never rejects. What failed is still waiting. */
  async #scanWaiting(): Promise<void> {
    const round = new Map(this.#waiting)
    try {
      await this.#scan(round)
      for (const [partition, recoverer] of round) {
        if (this.#waiting.get(partition) === recoverer) this.#waiting.delete(partition)
      }
    } catch (error) {
      if (this.#stop.signal.aborted) return
      this.#log.warn({ err: error }, 'a recovery scan failed and is begun again')
      await this.#pause(retryMs)
    }
  }

  /** A node that starts takes its partitions one after the other, and a scan for each would be as long as one for all. */
  async #gather(): Promise<void> {
    const startedAt = this.#clock.monotonic()
    let size: number
    do {
      size = this.#waiting.size
      await this.#pause(gatherMs)
    } while (this.#waiting.size > size && this.#clock.monotonic() - startedAt < mostGatherMs)
  }

  async #scan(round: ReadonlyMap<number, Recoverer>): Promise<void> {
    const startedAt = this.#clock.monotonic()
    const loading = new Crew()
    let owing = 0
    for await (const scanned of this.#store.scanOwing([...round.keys()], this.#stop.signal)) {
      owing++
      const recovered = round.get(scanned.partition)?.recover(scanned)
      if (recovered === undefined) continue
      loading.add(recovered)
      if (loading.size >= permits) await loading.fewerThan(permits)
    }
    await loading.fewerThan(1)
    const ms = Math.round(this.#clock.monotonic() - startedAt)
    this.#log.info({ partitions: round.size, owing, ms }, 'recovered')
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise(resolve => {
      const { signal } = this.#stop
      const done = () => {
        timer.cancel()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = this.#clock.setTimer(delayMs, done)
      if (signal.aborted) done()
      else signal.addEventListener('abort', done)
    })
  }
}

/** Work that is under way. */
class Crew {
  #size = 0
  #limit = 0
  #onFewer: (() => void) | undefined

  get size(): number {
    return this.#size
  }

  /** @param work never rejects */
  add(work: Promise<void>): void {
    this.#size++
    void work.then(() => {
      this.#size--
      if (this.#size < this.#limit) this.#onFewer?.()
    })
  }

  /** Waits until less is under way. One waits at a time. */
  async fewerThan(limit: number): Promise<void> {
    if (this.#size < limit) return
    this.#limit = limit
    await new Promise<void>(resolve => {
      this.#onFewer = resolve
    })
    this.#onFewer = undefined
  }
}
