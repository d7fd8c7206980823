import type { Fate, Weather } from './link.ts'
import type { SimProcess } from './process.ts'
import type { Random } from './random.ts'
import type { Memory } from './server.ts'
import type { World } from './world.ts'

/** What can happen to the cluster as a whole. */
export const disasters = [
  'crash',
  'leave',
  'pause',
  'cut',
  'cutSender',
  'restartServer',
  'jumpClock',
  'join',
  'twin',
  'worker',
] as const

export type Disaster = (typeof disasters)[number]

/** What goes wrong in a run. Each run draws its own: a few things often find more than all things at once. */
export interface Climate {
  /** Which disasters strike, and how long after one another, on average. */
  readonly disasters: readonly Disaster[]
  readonly everyMs: number
  readonly lastsMs: number
  readonly latencyMs: number
  readonly spikes: number
  readonly spikeMs: number
  readonly requestLost: number
  readonly answerLost: number
  readonly refused: number
  /** How likely a node crashes right after a request of its own has happened. */
  readonly crashAfter: number
  /** How long the server knows the id of an envelope. */
  readonly rememberMs: number
  /** How likely an envelope comes once more when the server has forgotten it: who sent it was stuck, or stopped. */
  readonly echoes: number
}

/** As NATS has it, unless a run wants to see what comes after that. */
const dedupMs = 120_000

export function drawClimate(random: Random): Climate {
  const some = (most: number) => (random.chance(0.5) ? random.skewed(0, most) : 0)
  return {
    disasters: disasters.filter(() => random.chance(0.4)),
    everyMs: random.between(400, 3_000),
    lastsMs: random.between(4_000, 13_000),
    latencyMs: random.skewed(0.2, 20),
    spikes: some(0.1),
    spikeMs: random.pick([20, 200, 2_500]),
    requestLost: some(0.1),
    answerLost: some(0.1),
    refused: some(0.1),
    crashAfter: some(0.02),
    rememberMs: random.chance(0.5) ? random.skewed(0, 3_000) : dedupMs,
    echoes: random.chance(0.5) ? random.between(0, 0.4) : 0,
  }
}

/** The weather of a run: bad until it clears up. */
export class Storm implements Memory, Weather {
  readonly climate: Climate
  readonly #world: World
  readonly #crash: (process: SimProcess) => void
  #isOver = false

  /** @param crash kills the process, if it is a node's */
  constructor(climate: Climate, world: World, crash: (process: SimProcess) => void) {
    this.climate = climate
    this.#world = world
    this.#crash = crash
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get rememberMs(): number {
    return this.climate.rememberMs
  }

  clearUp(): void {
    this.#isOver = true
    this.#world.note('the storm is over')
  }

  delayOf(): number {
    const { random } = this.#world
    const { latencyMs, spikeMs, spikes } = this.climate
    const delayMs = latencyMs * random.between(0.5, 1.5)
    return !this.#isOver && random.chance(spikes) ? delayMs + random.between(0, spikeMs) : delayMs
  }

  fateOf(): Fate {
    if (this.#isOver) return 'answered'
    const { answerLost, refused, requestLost } = this.climate
    const drawn = this.#world.random.next()
    if (drawn < requestLost) return 'requestLost'
    if (drawn < requestLost + answerLost) return 'answerLost'
    return drawn < requestLost + answerLost + refused ? 'refused' : 'answered'
  }

  stored(again: () => void): void {
    const { random } = this.#world
    const { echoes, rememberMs } = this.climate
    if (this.#isOver || !random.chance(echoes)) return
    this.#world.after(rememberMs + random.skewed(0, 8_000), again)
  }

  happened(process: SimProcess): void {
    const { random } = this.#world
    if (this.#isOver || !random.chance(this.climate.crashAfter)) return
    this.#world.after(random.skewed(0, 5 * this.climate.latencyMs), () => this.#crash(process))
  }
}
