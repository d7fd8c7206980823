import { isDeepStrictEqual } from 'node:util'
import { setTimeout as pause } from 'node:timers/promises'

import { isRuntimeError, type Client } from '../../src/index.ts'
import { randomFrom } from '../../test/support/random.ts'
import type { ErrandEvent, ErrandOutput, ErrandWorkflow } from './node.ts'

export interface ErrandsOptions {
  readonly client: Client
  readonly interrupted: AbortSignal
  /** How many begin each second. */
  readonly rate: number
  readonly seed: number
}

const mostEvents = 12
/** Now and then a client is silent for longer than an idle instance stays in memory. */
const silenceMs = 4000
const silenceChance = 0.03
const pauseMs = 300
const retryMs = 100
/** What is not known by then, however often it is asked, is lost: servers and nodes are back long before. */
const lostAfterMs = 180_000
/** As many as begin in so many seconds may be under way, or what they hold would count as growth of those who serve them. */
const mostSeconds = 5

/**
 * Errands that begin one after the other for as long as it lasts. Each is started, sent events, and held to what it
 * should have come to. Every start and event is sent again, under its id, until it is acknowledged.
 */
export class Errands {
  begun = 0
  /** Those that came to what they should. */
  ended = 0
  /** Acknowledged, starts included. */
  accepted = 0
  /** Sent again, because nobody knew what had become of them. */
  repeated = 0
  /** That were asked for. */
  children = 0
  /** What was lost or doubled. */
  readonly wrong: string[] = []
  readonly #options: ErrandsOptions
  readonly #underWay = new Set<Promise<void>>()
  readonly #stopped = new AbortController()
  readonly #pacing: Promise<void>

  constructor(options: ErrandsOptions) {
    this.#options = options
    this.#pacing = this.#pace()
  }

  get underWay(): number {
    return this.#underWay.size
  }

  /** Begins no more; resolves when those under way have ended. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#pacing
    await Promise.all(this.#underWay)
  }

  async #pace(): Promise<void> {
    const { interrupted, rate } = this.#options
    const over = AbortSignal.any([this.#stopped.signal, interrupted])
    while (!over.aborted) {
      if (this.#underWay.size < mostSeconds * rate) this.#begin()
      // Only the signal makes it reject.
      await pause(1000 / rate, undefined, { signal: over }).catch(() => {})
    }
  }

  #begin(): void {
    const number = this.begun++
    const running = this.#run(number)
      .catch(error => {
        if (!this.#options.interrupted.aborted) this.wrong.push(`errand ${number}: ${String(error)}`)
      })
      .finally(() => this.#underWay.delete(running))
    this.#underWay.add(running)
  }

  async #run(number: number): Promise<void> {
    const { client, interrupted: signal, seed } = this.#options
    const random = randomFrom(seed + number)
    const id = `e-${number}`
    await this.#untilKnown(() => client.start('errand', { id, signal }))
    this.accepted++
    const handle = client.instance<ErrandWorkflow>('errand', id)
    const expected = { count: 0, sum: 0, squares: 0, done: { work: 0, wait: 0, child: 0 }, wrong: 0 }
    const events = Array.from({ length: 1 + Math.floor(random() * mostEvents) }, (_, n) =>
      chosen(random(), n + 1),
    )
    for (const [n, event] of [...events, { type: 'FINISH' } as const].entries()) {
      const silent = random() < silenceChance
      await pause(silent ? silenceMs : random() * pauseMs, undefined, { signal })
      await this.#untilKnown(() => handle.send(event, { id: `${id}.${n}`, signal }))
      this.accepted++
      expect(event, expected)
    }
    this.children += expected.done.child
    const output = await this.#untilKnown(() => handle.result({ signal, timeout: lostAfterMs }))
    if (!isDeepStrictEqual(output, expected)) {
      throw new Error(`came to ${JSON.stringify(output)} instead of ${JSON.stringify(expected)}`)
    }
    this.ended++
  }

  async #untilKnown<T>(ask: () => Promise<T>): Promise<T> {
    const giveUpAt = performance.now() + lostAfterMs
    for (;;) {
      try {
        return await ask()
      } catch (error) {
        if (!isRuntimeError(error) || !error.retryable || performance.now() > giveUpAt) throw error
        this.repeated++
        await pause(retryMs, undefined, { signal: this.#options.interrupted })
      }
    }
  }
}

function chosen(dice: number, n: number): ErrandEvent {
  if (dice < 0.6) return { type: 'ADD', n }
  if (dice < 0.8) return { type: 'WORK' }
  return { type: dice < 0.9 ? 'WAIT' : 'CHILD' }
}

type Expected = { -readonly [Key in keyof ErrandOutput]: ErrandOutput[Key] }

/** Takes the event into account. */
function expect(event: ErrandEvent, expected: Expected): void {
  const { done } = expected
  switch (event.type) {
    case 'ADD':
      expected.count++
      expected.sum += event.n
      expected.squares += event.n * event.n
      break
    case 'WORK':
      expected.done = { ...done, work: done.work + 1 }
      break
    case 'WAIT':
      expected.done = { ...done, wait: done.wait + 1 }
      break
    case 'CHILD':
      expected.done = { ...done, child: done.child + 1 }
      break
    case 'FINISH':
  }
}
