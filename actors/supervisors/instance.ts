/**
 * Supervises one instance: decides whether it goes on, and what of it runs. The third of the tree
 * node → partition → instance → activity.
 *
 * ```
 *             pause, or a step that throws, or an activity restarted too often
 *   running ─────────────────────────────────────────────────────────────────▶ stopped: paused or suspended
 *      ▲  │                      resume, retry, skip                                │
 *      │  └◀────────────────────────────────────────────────────────────────────────┤
 *      │     cancel                         its own end, force, deadline            │ cancel, fail
 *      └───────────────▶ cancelling ──────────────────────────────────▶ ended ◀─────┘
 * ```
 *
 * It stops whatever runs when the instance is stopped, and has it run again, as another attempt, when the instance goes on or
 * is found running by a process that did not run it. Each decision is part of a record that is stored before anything
 * begins, so after a crash the next owner decides the same, or goes on from what was decided. Being held from outside is no
 * part of the record: see src/runtime/holds.ts.
 */
import { cancelEvent, mannerOf, type CancelManner } from '../cancellation.ts'
import type { ParentLink } from '../child-workflow.ts'
import type { CancelEnvelope, ControlEnvelope, EditEnvelope } from '../envelope.ts'
import { endedIn, failureOf, type Incident } from '../incident.ts'
import { isFinal, type InstanceStatus } from '../record.ts'
import type { Standing } from '../standing.ts'
import type { Reception, Stepping } from '../stepping.ts'

export interface InstanceSupervisorContext {
  readonly parent: ParentLink | undefined
  readonly standing: Standing
  readonly stepping: Stepping
}

export class InstanceSupervisor {
  readonly #parent: ParentLink | undefined
  readonly #standing: Standing
  readonly #stepping: Stepping

  constructor({ parent, standing, stepping }: InstanceSupervisorContext) {
    this.#parent = parent
    this.#standing = standing
    this.#stepping = stepping
  }

  get status(): InstanceStatus {
    return this.#standing.statusOf(this.#stepping.tree.status)
  }

  /** Whether nothing of it runs. What has finished is not halted: it still does what it owes. */
  get isHalted(): boolean {
    return this.#standing.isHalted(this.#stepping.tree.status)
  }

  /** Whether activities that ran, in this process or in another, have yet to be restarted or given up. */
  get hasLost(): boolean {
    return !this.isHalted && this.#stepping.invocations.hasLost
  }

  /** When it must have come to an end by itself; Infinity when nobody wants that. */
  get deadline(): number {
    return this.#standing.deadline(this.#stepping.tree.status)
  }

  /**
   * Applies a control envelope.
   *
   * @param stepAgain makes the step again that has suspended the instance
   */
  control(
    envelope: Exclude<ControlEnvelope, EditEnvelope>,
    now: number,
    stepAgain: (incident: Incident) => void,
  ): Reception {
    if (envelope.type === 'cancel') return this.#cancel(envelope, now)
    const { type } = envelope
    const { incident, isStopped } = this.#standing
    if ((type === 'pause' && isStopped) || (type === 'resume' && !isStopped)) return 'ignored'
    const stepping = this.#stepping
    stepping.lastEvent = type
    switch (type) {
      case 'pause':
        stepping.invocations.halt()
        this.#standing.pause(envelope.reason)
        break
      case 'fail':
        this.#standing.goOn()
        stepping.fail(failureOf(incident!, envelope.reason))
        if (!this.#standing.isHeld) stepping.outbox.resumeActions()
        break
      case 'resume':
      case 'skip':
        this.#goOn(now)
        break
      case 'retry':
        this.#goOn(now, true)
        stepAgain(incident!)
    }
    return 'accepted'
  }

  /** Whether a cancel that came now would stop everything that runs, or has done so. */
  isStoppedBy({ force }: CancelManner): boolean {
    if (isFinal(this.status)) return true
    if (this.#standing.isStopped) return false
    return force === true || (this.#standing.cancellation === undefined && !this.#takesCancel(''))
  }

  /** Stops what runs, until it is let go: nothing is stored, so whoever loads the record must hold it anew. */
  hold(): void {
    if (!this.isHalted) this.#stepping.invocations.halt()
    this.#standing.isHeld = true
  }

  /** What it has stopped runs again, as another attempt, unless the instance is stopped itself. */
  letGo(now: number): Reception {
    const wasHalted = this.isHalted
    this.#standing.isHeld = false
    if (!wasHalted || this.isHalted) return 'ignored'
    const { effects, outbox } = this.#stepping
    this.#resumeActivities(now)
    outbox.resumeActions()
    return effects.isAsking ? 'accepted' : 'ignored'
  }

  /**
   * Asks again for every delivery a stored record owes, and for heartbeats. A stopped or held instance only delivers what it owes others.
   *
   * @param isStopping whether it is about to be stopped
   */
  resume(isStopping: boolean): void {
    const { invocations, outbox } = this.#stepping
    if (this.isHalted || isStopping) {
      outbox.resumeToOthers()
      return
    }
    outbox.resume()
    invocations.hear()
  }

  /**
   * Runs again the activities that ran when the record was stored, as another attempt, unless they have settled since. Gives
   * up those that do not go on, also after a pause or an incident: that is a step of its own, which may throw.
   *
   * @param isCounted whether the process in which they ran has ended
   */
  restart(now: number, isCounted: boolean): Reception {
    // What is going to be stopped at once need not begin again.
    if (!this.hasLost || this.deadline <= now) return 'ignored'
    const { invocations } = this.#stepping
    this.#stepping.giveUp(invocations.restart(now, isCounted), now)
    return 'accepted'
  }

  /**
   * Runs again, as another attempt, activities that were interrupted for a cancel and are still wanted.
   *
   * @param attempts by incarnation, the attempt that was interrupted
   */
  rerun(attempts: ReadonlyMap<number, number>, now: number): Reception {
    const overs = this.#stepping.invocations.rerun(attempts, now)
    if (overs === undefined) return 'ignored'
    this.#stepping.giveUp(overs, now)
    return 'accepted'
  }

  /** See cancellation.ts. A stopped instance goes on by it, without what has suspended it. */
  #cancel(envelope: CancelEnvelope, now: number): Reception {
    const { force, reason } = envelope
    const isFirst = this.#standing.cancellation === undefined
    const wasStopped = this.#standing.isStopped
    const isNews = this.#standing.cancel(envelope, now, this.#parent)
    if (!isNews && !wasStopped && force !== true) return 'ignored'
    const stepping = this.#stepping
    stepping.lastEvent = envelope.type
    const takesIt = !isFirst || this.#takesCancel(reason)
    if (wasStopped) this.#goOn(now)
    if (force === true || !takesIt) return stepping.cancel(mannerOf(envelope), now)
    if (isFirst) stepping.send('', cancelEvent(reason), now)
    return 'accepted'
  }

  #takesCancel(reason: string): boolean {
    return this.#stepping.takes(cancelEvent(reason))
  }

  /**
   * Goes on after a pause or an incident, before any step: that may no longer want some of what runs.
   *
   * @param isStepped whether what has suspended it follows; else it is dropped
   */
  #goOn(now: number, isStepped = false): void {
    const incident = this.#standing.goOn()
    const ended = incident && endedIn(incident)
    const { invocations, outbox } = this.#stepping
    const { isHeld } = this.#standing
    if (!isHeld) this.#resumeActivities(now, ended?.incarnation)
    const isDropped = ended !== undefined && !isStepped
    // Its time may have been up while it waited for another attempt.
    if (isDropped && invocations.current(ended.path, ended.incarnation)) invocations.stop(ended.path)
    if (!isHeld) outbox.resumeActions()
  }

  /**
   * What is going to be stopped at once need not begin again.
   *
   * @param ended the incarnation of an invocation that has already told how it ended
   */
  #resumeActivities(now: number, ended?: number): void {
    if (this.deadline > now) this.#stepping.invocations.resume(now, ended)
  }
}
