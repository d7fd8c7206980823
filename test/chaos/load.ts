import { isRuntimeError, type Client, type InstanceHandle } from '../../src/index.ts'
import { counter } from './workload.ts'

/** What an instance was sent and has been acknowledged. */
export interface Accepted {
  steps: number
  works: number
  waits: number
  children: number
  posts: number
}

/** Sends events to many instances for as long as the run lasts, each again under its id until it is acknowledged. */
export class Load {
  readonly accepted = new Map<string, Accepted>()
  /** How many sends had to be repeated because their outcome was unknown. */
  repeated = 0
  readonly #client: Client
  readonly #random: () => number
  readonly #pauseMs: number
  readonly #stop = new AbortController()
  readonly #loops: Promise<void>[]

  private constructor(client: Client, ids: readonly string[], rate: number, random: () => number) {
    this.#client = client
    this.#random = random
    this.#pauseMs = (ids.length / rate) * 1000
    this.#loops = ids.map(id => this.#send(id))
  }

  /**
   * Starts the instances, each to post to the next, then sends to them.
   *
   * @param rate events per second, all instances together
   */
  static async start(
    client: Client,
    ids: readonly string[],
    rate: number,
    random: () => number,
  ): Promise<Load> {
    const peerOf = (index: number) => ids[(index + 1) % ids.length]!
    await Promise.all(ids.map((id, index) => client.start(counter, { id, input: { peer: peerOf(index) } })))
    return new Load(client, ids, rate, random)
  }

  get total(): number {
    let total = 0
    for (const { steps, works, waits, children, posts } of this.accepted.values()) {
      total += steps + works + waits + children + posts
    }
    return total
  }

  /** Resolves when everything under way is acknowledged. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#loops)
  }

  async #send(id: string): Promise<void> {
    const accepted = { steps: 0, works: 0, waits: 0, children: 0, posts: 0 }
    this.accepted.set(id, accepted)
    const handle = this.#client.instance(counter, id)
    // Not all at once.
    await pause(this.#random() * this.#pauseMs)
    for (let n = 1; !this.#stop.signal.aborted; n++) {
      await this.#sendOne(handle, `${id}.${n}`, accepted)
      await pause(this.#pauseMs * (0.5 + this.#random()))
    }
  }

  async #sendOne(handle: InstanceHandle<typeof counter>, id: string, accepted: Accepted): Promise<void> {
    const dice = this.#random()
    const send = (event: Parameters<typeof handle.send>[0]) =>
      this.#untilKnown(() => handle.send(event, { id }))
    if (dice < 0.6) {
      await send({ type: 'STEP', sender: 'client', n: accepted.steps + 1 })
      accepted.steps++
    } else if (dice < 0.7) {
      await send({ type: 'WORK' })
      accepted.works++
    } else if (dice < 0.8) {
      await send({ type: 'WAIT' })
      accepted.waits++
    } else if (dice < 0.85) {
      await send({ type: 'CHILD' })
      accepted.children++
    } else {
      await send({ type: 'POST' })
      accepted.posts++
    }
  }

  async #untilKnown(send: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await send()
        return
      } catch (error) {
        if (!isRuntimeError(error) || !error.retryable) throw error
        this.repeated++
        await pause(100)
      }
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, ms)
  })
}
