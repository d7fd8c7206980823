/**
 * Time and everything that happens in it, one thing after the other: the scheduler of a simulation.
 *
 * Nothing here waits for real time. A step runs, then all promises that it settles, then the next step, with the
 * clock at its moment. What happens and in which order follows from the seed alone.
 */
import type { Clock, TimerHandle } from '../../actors/ports.ts'
import { Random } from './random.ts'

interface Step {
  readonly at: number
  readonly order: number
  run: (() => void) | undefined
}

/** Something that must never be. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

/** A run of that many steps does not come to rest. */
const mostSteps = 400_000
const startsAt = Date.UTC(2026, 0, 1)

export class World {
  readonly random: Random
  /** The time of the server, by which leases end. */
  readonly clock: Clock
  readonly #trace: ((line: string) => void) | undefined
  readonly #steps: Step[] = []
  #order = 0
  #now = 0
  #taken = 0
  #hash = 0x811c9dc5
  #violation: Error | undefined
  #isOver = false

  /** @param trace told of everything that is noted */
  constructor(seed: number, trace?: (line: string) => void) {
    this.random = new Random(seed)
    this.#trace = trace
    this.clock = {
      now: () => this.epochMs,
      monotonic: () => this.#now,
      setTimer: (delayMs, callback) => this.after(delayMs, callback),
    }
  }

  /** Milliseconds since the beginning. */
  get now(): number {
    return this.#now
  }

  /** Milliseconds since the epoch, by the one clock that is right. */
  get epochMs(): number {
    return startsAt + Math.floor(this.#now)
  }

  get isTraced(): boolean {
    return this.#trace !== undefined
  }

  /** A number that differs, almost surely, when anything noted differs. */
  get hash(): number {
    return this.#hash >>> 0
  }

  get steps(): number {
    return this.#taken
  }

  /** Runs the callback as a step of its own after that time. */
  after(delayMs: number, callback: () => void): TimerHandle {
    return this.at(this.#now + Math.max(0, delayMs), callback)
  }

  /** Runs the callback at that time; of several at the same time in the order they were asked for. */
  at(time: number, callback: () => void): TimerHandle {
    const step: Step = { at: time, order: this.#order++, run: callback }
    this.#push(step)
    return {
      cancel: () => {
        step.run = undefined
      },
    }
  }

  note(what: string): void {
    let hash = this.#hash ^ Math.floor(this.#now * 1000)
    for (let index = 0; index < what.length; index++) {
      hash = Math.imul(hash ^ what.charCodeAt(index), 0x01000193)
    }
    this.#hash = hash
    this.#trace?.(`${this.#now.toFixed(3).padStart(12)}  ${what}`)
  }

  /** Ends the run: something is as it must never be. The first one counts. */
  violated(what: string): void {
    this.failed(new Violation(what))
  }

  failed(error: Error): void {
    if (this.#violation === undefined) this.note(`VIOLATION ${error.message}`)
    this.#violation ??= error
  }

  /** Ends the run in good order. */
  end(): void {
    this.#isOver = true
  }

  /**
   * Runs step after step until the end.
   *
   * @throws Violation
   */
  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      const proceed = () => {
        this.#step()
        if (this.#violation !== undefined) reject(this.#violation)
        else if (this.#isOver) resolve()
        // All promises settle between two immediates: whatever this step has caused is done before the next.
        else setImmediate(proceed)
      }
      setImmediate(proceed)
    })
  }

  #step(): void {
    let step = this.#pop()
    while (step !== undefined && step.run === undefined) step = this.#pop()
    if (step === undefined) return this.violated('nothing happens any more')
    if (++this.#taken > mostSteps) return this.violated(`it does not come to rest in ${mostSteps} steps`)
    this.#now = step.at
    try {
      step.run!()
    } catch (error) {
      this.failed(error as Error)
    }
  }

  #push(step: Step): void {
    const steps = this.#steps
    let index = steps.length
    steps.push(step)
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (isBefore(steps[parent]!, step)) break
      steps[index] = steps[parent]!
      index = parent
    }
    steps[index] = step
  }

  #pop(): Step | undefined {
    const steps = this.#steps
    const first = steps[0]
    const last = steps.pop()
    if (steps.length === 0 || last === undefined) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= steps.length) break
      if (child + 1 < steps.length && isBefore(steps[child + 1]!, steps[child]!)) child++
      if (isBefore(last, steps[child]!)) break
      steps[index] = steps[child]!
      index = child
    }
    steps[index] = last
    return first
  }
}

function isBefore(a: Step, b: Step): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
