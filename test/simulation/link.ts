/**
 * The connection of a process to the server.
 *
 * ```
 *   process ──request travels──▶ it happens ──answer travels──▶ process
 *       │          │                             │
 *       │          └ lost: it never happens      └ lost: it has happened, nobody knows
 *       └ no answer in time: STORE_UNAVAILABLE
 * ```
 *
 * As on one NATS connection, what goes to one stream is handled in the order it was sent, and answered in that order;
 * what goes to different streams overtakes each other. When the connection breaks, what was under way to the server may
 * still arrive, even much later; what was under way to the process is lost. What is asked while there is no
 * connection is lost, but for the last moment before there is one again.
 */
import { RuntimeError } from '../../actors/errors.ts'
import type { SimProcess } from './process.ts'
import type { World } from './world.ts'

/** What happens with one request. */
export type Fate = 'answered' | 'refused' | 'requestLost' | 'answerLost'

/** Decides what goes wrong. */
export interface Weather {
  /** How long one message takes, in milliseconds. */
  delayOf(process: SimProcess): number
  fateOf(process: SimProcess, what: string): Fate
  /** A request of the process has just happened on the server. */
  happened(process: SimProcess, what: string): void
}

/** As NatsConnection has it. */
const requestTimeoutMs = 2_000
/** While it dials again the library keeps what is published. */
const redialMs = 100
/** As publishOnce has it. */
const publishAttempts = 3
const publishRetryMs = 250

interface Session {
  /** Until then what was sent in it still arrives at the server. */
  arrivesUntil: number
  /** How much later than it would have. */
  stuckMs: number
}

export class Link {
  readonly process: SimProcess
  readonly #world: World
  readonly #weather: Weather
  /** When the last message of each lane and direction arrives. */
  readonly #arrivals = new Map<string, number>()
  readonly #reconnected = new Set<() => void>()
  readonly #broken: (() => void)[] = []
  #session: Session = openSession()
  /** While disconnected: when it is connected again. */
  #upAt: number | undefined

  constructor(process: SimProcess, world: World, weather: Weather) {
    this.process = process
    this.#world = world
    this.#weather = weather
  }

  get isUp(): boolean {
    return this.#upAt === undefined
  }

  /**
   * Asks the server and waits for the answer.
   *
   * @param lane what it must not overtake
   * @param happen does it, on the server
   * @throws RuntimeError `STORE_UNAVAILABLE` when no answer came in time; whatever `happen` throws
   */
  request<T>(lane: string, what: string, happen: () => T | Promise<T>): Promise<T> {
    const { process } = this
    const fate = this.#weather.fateOf(process, what)
    return new Promise((resolve, reject) => {
      const timeout = process.clock.setTimer(requestTimeoutMs, () => reject(unavailable(what, 'timeout')))
      const session = this.#session
      const answer = (settle: () => void) => {
        if (fate === 'answerLost') this.#world.note(`answer lost: ${process.name} ${what}`)
        else if (session === this.#session) {
          this.push(lane, () => {
            timeout.cancel()
            settle()
          })
        }
      }
      if (fate === 'requestLost') {
        this.#world.note(`request lost: ${process.name} ${what}`)
        return
      }
      this.#toServer(lane, what, () => {
        if (fate === 'refused') {
          answer(() => reject(unavailable(what, 'no leader')))
          return
        }
        void settled(happen).then(
          value => answer(() => resolve(value)),
          (error: Error) => {
            this.#world.note(`refused: ${process.name} ${what}: ${error.message}`)
            answer(() => reject(error))
          },
        )
        this.#weather.happened(process, what)
      })
    })
  }

  /** As `publishOnce`: what has an id is sent again a few times when no answer came. */
  async publishOnce<T>(
    lane: string,
    what: string,
    happen: () => T | Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted()
      try {
        return await this.request(lane, what, happen)
      } catch (error) {
        if (!(error instanceof RuntimeError) || !error.retryable || attempt === publishAttempts) throw error
      }
      await this.process.sleep(publishRetryMs)
    }
  }

  /** Tells the server without waiting. */
  send(lane: string, what: string, happen: () => void): void {
    this.#toServer(lane, what, happen)
  }

  /** Tells the process, from the server. Lost while there is no connection. */
  push(lane: string, arrive: () => void): void {
    if (!this.isUp) return
    const session = this.#session
    this.#world.at(this.#arrivalOf(`process ${lane}`), () => {
      if (session === this.#session) this.process.deliver(arrive)
    })
  }

  /** Calls back after every reconnection. Answers how to stop that. */
  onReconnected(listener: () => void): () => void {
    this.#reconnected.add(listener)
    return () => this.#reconnected.delete(listener)
  }

  /** Tells the server, once, that the connection has broken. */
  onBroken(listener: () => void): void {
    this.#broken.push(listener)
  }

  /** Breaks the connection for that long. */
  cut(forMs: number): void {
    this.#break()
    const upAt = this.#world.now + forMs
    this.#upAt = upAt
    this.#world.note(`${this.process.name} is cut off for ${Math.round(forMs)} ms`)
    this.#world.after(forMs, () => {
      if (this.#upAt !== upAt || !this.process.isAlive) return
      this.#upAt = undefined
      this.#world.note(`${this.process.name} is connected again`)
      for (const listener of this.#reconnected) this.process.deliver(listener)
    })
  }

  /** Breaks the connection for good. */
  close(): void {
    if (this.#upAt === Number.POSITIVE_INFINITY) return
    this.#break()
    this.#upAt = Number.POSITIVE_INFINITY
  }

  #break(): void {
    const { random, now } = this.#world
    this.#session.arrivesUntil = Math.min(this.#session.arrivesUntil, now + random.skewed(0, 100))
    this.#session.stuckMs = random.chance(0.2) ? random.skewed(0, 5_000) : 0
    this.#session = openSession()
    this.#arrivals.clear()
    for (const listener of this.#broken.splice(0)) listener()
  }

  #toServer(lane: string, what: string, happen: () => void): void {
    const { now } = this.#world
    const upAt = this.#upAt ?? now
    if (upAt - now > redialMs) return
    const session = this.#session
    const arrive = () => {
      this.#world.note(`${this.process.name} ${what}`)
      happen()
    }
    this.#world.at(this.#arrivalOf(`server ${lane}`, upAt), () => {
      if (this.#world.now > session.arrivesUntil) return
      if (session.stuckMs > 0) this.#world.after(session.stuckMs, arrive)
      else arrive()
    })
  }

  /** When a message arrives that leaves then: not before those ahead of it in its lane. */
  #arrivalOf(lane: string, leavesAt = this.#world.now): number {
    const at = Math.max(leavesAt + this.#weather.delayOf(this.process), this.#arrivals.get(lane) ?? 0)
    this.#arrivals.set(lane, at)
    return at
  }
}

function openSession(): Session {
  return { arrivesUntil: Number.POSITIVE_INFINITY, stuckMs: 0 }
}

async function settled<T>(happen: () => T | Promise<T>): Promise<T> {
  return happen()
}

function unavailable(what: string, reason: string): RuntimeError {
  return new RuntimeError('STORE_UNAVAILABLE', `cannot ${what}: ${reason}`, { retryable: true })
}
