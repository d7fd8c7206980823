import type { Clock } from '../../actors/ports.ts'
import type { Checker } from './checker.ts'
import type { Outside } from './outside.ts'
import type { Stage } from './stage.ts'
import type { World } from './world.ts'

/** Timers fire late by up to this, as they do when a process has other things to do. */
const latestMs = 2

/**
 * A process: it can be killed, and stopped like by SIGSTOP. Whatever reaches it from outside or by its clock goes through
 * {@link deliver}.
 */
export class SimProcess {
  readonly name: string
  readonly clock: Clock
  readonly #world: World
  readonly #stage: Stage
  readonly #outside: Outside
  /** What came while it was stopped, in order. */
  readonly #pending: (() => void)[] = []
  #state: 'running' | 'stopped' | 'dead' = 'running'
  /** How far its wall clock is off. */
  #wallOffsetMs = 0

  constructor(name: string, world: World, stage: Stage, checker: Checker) {
    this.name = name
    this.#world = world
    this.#stage = stage
    this.#outside = {
      sleep: delayMs => this.sleep(delayMs),
      ran: (idempotencyKey, attempt, lastHeartbeat) =>
        checker.ran(this, idempotencyKey, attempt, lastHeartbeat),
      beats: (idempotencyKey, beat) => checker.attempts.beats(this.name, idempotencyKey, beat),
      failed: idempotencyKey => checker.failed(this, idempotencyKey),
      writing: entry => checker.writing(entry),
      acted: tag => checker.acted(this, tag),
    }
    const monotonicOffsetMs = world.random.between(0, 1e6)
    this.clock = {
      now: () => world.epochMs + this.#wallOffsetMs,
      monotonic: () => world.now + monotonicOffsetMs,
      setTimer: (delayMs, callback) => {
        let isCancelled = false
        const fire = () => {
          if (!isCancelled) callback()
        }
        const lateMs = world.random.between(0, latestMs)
        const timer = world.after(Math.max(0, delayMs) + lateMs, () => this.deliver(fire))
        return {
          cancel: () => {
            isCancelled = true
            timer.cancel()
          },
        }
      },
    }
  }

  get isAlive(): boolean {
    return this.#state !== 'dead'
  }

  get isRunning(): boolean {
    return this.#state === 'running'
  }

  /** Runs it in this process: now, when the process goes on again, or never. */
  deliver(callback: () => void): void {
    if (this.#state === 'running') {
      this.#stage.enter(this.#outside)
      callback()
    } else if (this.#state === 'stopped') this.#pending.push(callback)
  }

  stop(): void {
    if (this.#state !== 'running') return
    this.#world.note(`${this.name} is stopped`)
    this.#state = 'stopped'
  }

  /** Goes on: all that has come meanwhile happens at once, each as a step of its own. */
  resume(): void {
    if (this.#state !== 'stopped') return
    this.#world.note(`${this.name} goes on, ${this.#pending.length} things have come`)
    this.#state = 'running'
    for (const callback of this.#pending.splice(0)) this.#world.after(0, () => this.deliver(callback))
  }

  kill(): void {
    if (this.#state === 'dead') return
    this.#world.note(`${this.name} is dead`)
    this.#state = 'dead'
    this.#pending.length = 0
  }

  /** Sets its wall clock that far from the right time. */
  setWallOffset(offsetMs: number): void {
    this.#world.note(`the clock of ${this.name} is off by ${offsetMs} ms`)
    this.#wallOffsetMs = offsetMs
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise(resolve => {
      this.clock.setTimer(delayMs, resolve)
    })
  }
}
