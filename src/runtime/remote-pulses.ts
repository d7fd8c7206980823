import type { ActivityReport } from '../../actors/activity.ts'
import { activityTimeout } from '../../actors/activity-timeout.ts'
import type { Effect } from '../../actors/effect.ts'
import type { Clock } from '../../actors/ports.ts'
import type { Beat } from '../../actors/remote-activity.ts'
import { Pulse } from './pulse.ts'

interface Heard {
  readonly attempt: number
  readonly pulse: Pulse
}

/**
 * The heartbeats of the workers that are at activities of one instance, as its node hears them. The first one of an attempt
 * goes to the instance, which notes that the work has begun and has the others heard from then on. Those cost the instance
 * nothing, unless they have details: the newest now and then.
 */
export class RemotePulses {
  readonly #clock: Clock
  readonly #report: (report: ActivityReport) => void
  readonly #byIncarnation = new Map<number, Heard>()

  /** @param report to the instance */
  constructor(clock: Clock, report: (report: ActivityReport) => void) {
    this.#clock = clock
    this.#report = report
  }

  beat({ attempt, details, incarnation, isBeginning, path }: Beat): void {
    const heard = this.#byIncarnation.get(incarnation)
    if (heard?.attempt !== attempt) {
      // It may be of an attempt that is over: the instance knows.
      this.#report({ type: 'heartbeat', path, incarnation, attempt, details })
    } else if (!isBeginning) {
      heard.pulse.beat(details)
    }
  }

  /** Hears an attempt from now on. */
  hear({ activity, attempt, incarnation, path, silenceMs }: Extract<Effect, { type: 'hear' }>): void {
    if (this.#byIncarnation.get(incarnation)?.attempt === attempt) return
    this.stop(incarnation)
    const of = { path, incarnation, attempt }
    const pulse = new Pulse(this.#clock, silenceMs, {
      tell: details => this.#report({ ...of, type: 'heartbeat', details }),
      missed: () => {
        // All that it has told of how far it was is stored by now: see Pulse.
        this.stop(incarnation)
        const error = activityTimeout('heartbeat', { activity, attempt, limitMs: silenceMs! })
        this.#report({ ...of, type: 'cut', error })
      },
    })
    this.#byIncarnation.set(incarnation, { attempt, pulse })
  }

  /** Hears it no more. */
  stop(incarnation: number): void {
    this.#byIncarnation.get(incarnation)?.pulse.stop()
    this.#byIncarnation.delete(incarnation)
  }

  stopAll(): void {
    for (const incarnation of this.#byIncarnation.keys()) this.stop(incarnation)
  }
}
