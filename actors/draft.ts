/**
 * The next record of an instance, being written.
 *
 * A draft holds the live actors of one instance and everything else its record will say. Events step it;
 * what the steps ask of the world collects as effects. `record()` is what must be committed before any of the
 * effects may be performed. If the commit fails, throw the draft away and make a new one from the stored
 * record.
 */
import { activitySpecOf } from './activity.ts'
import type { Effect } from './effect.ts'
import type { Envelope, SendEnvelope, StartEnvelope } from './envelope.ts'
import type { PreparedWorkflow } from './machine.ts'
import type {
  ActivityRecord,
  ActorPath,
  EventObject,
  InstanceRecord,
  InstanceStatus,
  OutboxEntry,
  PersistedSnapshot,
  Timer,
} from './record.ts'
import { isRepetition, nothingApplied, withApplied, type Applied } from './repetition.ts'
import { retryDelay, spreadOf } from './retry.ts'
import type { LeafOutcome } from './xstate/leaf.ts'
import type { TreeEffect } from './xstate/tree-effect.ts'
import { ActorTree, type TreeOptions } from './xstate/tree.ts'

const none: readonly never[] = Object.freeze([])

/** Something an activity of the instance tells it. Dropped when the invocation it names is no longer current. */
export type ActivityReport = { readonly path: ActorPath; readonly incarnation: number } & (
  | { readonly type: 'settled'; readonly outcome: LeafOutcome }
  | { readonly type: 'event'; readonly event: EventObject }
  | { readonly type: 'moved'; readonly context: unknown }
)

/** The parts of a record that no step changes. */
type Identity = Pick<InstanceRecord, 'workflow' | 'id' | 'version' | 'createdAt' | 'inputDigest'>

/** Whether a step changed anything: `ignored` when no transition was enabled. */
export type Reception = 'accepted' | 'ignored'

export class Draft {
  readonly #identity: Identity
  readonly #tree: ActorTree
  readonly #timers = new Map<string, Timer>()
  readonly #activities = new Map<ActorPath, ActivityRecord>()
  readonly #delivered = new Set<string>()
  #outbox: readonly OutboxEntry[]
  #effects: Effect[] = []
  #applied: Applied
  #counter: number
  #lastEvent = ''

  /** Takes the events that an action sends to its own actor after the commit. */
  onSelfSent: (path: ActorPath, event: EventObject) => void = () => {}

  private constructor(
    identity: Identity,
    base: Pick<InstanceRecord, 'outbox' | 'cursor' | 'recent' | 'sources' | 'counter'>,
    workflow: PreparedWorkflow,
    grow: (options: TreeOptions) => ActorTree,
  ) {
    this.#identity = identity
    this.#outbox = base.outbox
    const { cursor, recent, sources } = base
    this.#applied = { cursor, recent, sources }
    this.#counter = base.counter
    this.#tree = grow({
      address: `${identity.workflow}/${identity.id}`,
      machines: workflow.machines,
      nextNumber: () => ++this.#counter,
      onOutsideEvent: (path, event) => this.onSelfSent(path, event),
    })
  }

  /** The first draft of an instance. `seq` is the envelope's place in the inbox. */
  static start(workflow: PreparedWorkflow, envelope: StartEnvelope, seq: number, now: number): Draft {
    const { target, inputDigest } = envelope
    const identity = { ...target, version: workflow.version, createdAt: now, inputDigest }
    const base = { outbox: none, counter: 0, ...withApplied(nothingApplied, envelope, seq) }
    const draft = new Draft(identity, base, workflow, options =>
      ActorTree.init(workflow.machine, envelope.input, options),
    )
    draft.#lastEvent = 'xstate.init'
    draft.#collect(now)
    return draft
  }

  /** A draft that goes on from a stored record. The record is used up: do not read it afterwards. */
  static from(workflow: PreparedWorkflow, record: InstanceRecord): Draft {
    const { workflow: name, id, version, createdAt, inputDigest } = record
    const identity = { workflow: name, id, version, createdAt, inputDigest }
    const draft = new Draft(identity, record, workflow, options =>
      ActorTree.restore(workflow.machine, record.snapshot, options),
    )
    for (const timer of record.timers) draft.#timers.set(timerKey(timer.owner, timer.id), timer)
    for (const activity of record.activities) draft.#activities.set(activity.path, activity)
    draft.#outbox = record.outbox.map(entry => draft.#withContext(entry))
    return draft
  }

  get status(): InstanceStatus {
    const { status } = this.#tree
    if (status === 'active') return 'running'
    return status === 'done' ? 'done' : 'failed'
  }

  /** Earliest moment at which a timer or a retry is due; undefined when nothing waits for time. */
  get dueAt(): number | undefined {
    let due = Number.POSITIVE_INFINITY
    for (const timer of this.#timers.values()) due = Math.min(due, timer.dueAt)
    for (const activity of this.#activities.values()) due = Math.min(due, activity.retryAt ?? due)
    return due === Number.POSITIVE_INFINITY ? undefined : due
  }

  /** How many activities are running and entries undelivered. */
  get owes(): number {
    let owes = this.#outbox.length - this.#delivered.size
    for (const activity of this.#activities.values()) if (activity.retryAt === undefined) owes++
    return owes
  }

  /** True when the stored outbox lists entries that have been delivered since. */
  get hasDelivered(): boolean {
    return this.#delivered.size > 0
  }

  /** Type of the last event applied. */
  get lastEvent(): string {
    return this.#lastEvent
  }

  /** True when this envelope has been applied before, now or in an earlier life. */
  knows(envelope: Envelope, seq: number): boolean {
    return isRepetition(this.#applied, envelope, seq)
  }

  /** Applies an event from the inbox. Never call it when the status is final. */
  deliver(envelope: SendEnvelope, seq: number, now: number): Reception {
    this.#applied = withApplied(this.#applied, envelope, seq)
    return this.#send('', envelope.event, now)
  }

  /** Applies an event that an action of the instance itself has sent. */
  deliverSelf(path: ActorPath, event: EventObject, now: number): Reception {
    return this.#send(path, event, now)
  }

  /**
   * Fires every timer and begins every retry that is due, in the order they were due. What becomes due by
   * that is for the next call.
   */
  fireDue(now: number): Reception {
    let reception: Reception = 'ignored'
    const due = [...this.#timers.values()].filter(timer => timer.dueAt <= now).toSorted(byDueTime)
    for (const timer of due) {
      const key = timerKey(timer.owner, timer.id)
      // An earlier one of this round may have cancelled or replaced it, or ended the instance.
      if (this.#timers.get(key)?.seq !== timer.seq) continue
      this.#timers.delete(key)
      this.#send(timer.target, timer.event, now)
      reception = 'accepted'
    }
    for (const activity of this.#activities.values()) {
      if (activity.retryAt === undefined || activity.retryAt > now) continue
      const next = { ...activity, attempt: activity.attempt + 1, retryAt: undefined }
      this.#activities.set(activity.path, next)
      this.#effects.push({ type: 'startActivity', activity: next })
      reception = 'accepted'
    }
    return reception
  }

  /** Applies what a running activity tells. Reports of invocations that are no longer current are ignored. */
  report(report: ActivityReport, now: number): Reception {
    const activity = this.#activities.get(report.path)
    if (activity?.incarnation !== report.incarnation || activity.retryAt !== undefined) return 'ignored'
    switch (report.type) {
      case 'settled':
        return this.#settle(activity, report.outcome, now)
      case 'event':
        this.#lastEvent = report.event.type
        return this.#collectAfter(this.#tree.sendFrom(report.path, report.event), now)
      case 'moved':
        this.#collectAfter(this.#tree.moveLeaf(report.path, report.context), now)
        return 'accepted'
    }
  }

  /**
   * Asks again for everything a stored record owes: used once, after loading, by whoever now runs the
   * instance. Running activities count one more attempt.
   */
  resume(): void {
    for (const activity of this.#activities.values()) {
      if (activity.retryAt !== undefined) continue
      const next = { ...activity, attempt: activity.attempt + 1 }
      this.#activities.set(activity.path, next)
      this.#effects.push({ type: 'startActivity', activity: next })
    }
    for (const entry of this.#outbox) {
      const effect = this.#effectOf(entry)
      if (effect === undefined) this.#delivered.add(entry.effectId)
      else this.#effects.push(effect)
    }
  }

  /** Notes that an outbox entry has been delivered: the next record no longer lists it. */
  markDelivered(effectId: string): void {
    if (this.#outbox.some(entry => entry.effectId === effectId)) this.#delivered.add(effectId)
  }

  /** The logic an activity runs; undefined when its actor is gone. */
  logicOf(path: ActorPath): ReturnType<ActorTree['logicOf']> {
    return this.#tree.logicOf(path)
  }

  /** The effects since the last call, to be performed once the record is committed. */
  takeEffects(): readonly Effect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  /** The snapshot as plain data. Shares parts with the live actors: encode it at once, do not change it. */
  snapshot(): PersistedSnapshot {
    const snapshot = this.#tree.persist()
    // The children of a finished instance are stopped: only the outcome is of interest.
    return snapshot.status === 'active' ? snapshot : { ...snapshot, children: {} }
  }

  /** What must be committed now. Shares parts with the live actors: encode it at once, do not change it. */
  record(now: number): InstanceRecord {
    if (this.#delivered.size > 0) {
      this.#outbox = this.#outbox.filter(entry => !this.#delivered.has(entry.effectId))
      this.#delivered.clear()
    }
    // Written out: spreading into it would cost as much as the step itself.
    const { workflow, id, version, createdAt, inputDigest } = this.#identity
    const { cursor, recent, sources } = this.#applied
    return {
      workflow,
      id,
      version,
      status: this.status,
      createdAt,
      updatedAt: now,
      inputDigest,
      snapshot: this.snapshot(),
      timers: this.#timers.size === 0 ? none : [...this.#timers.values()],
      activities: this.#activities.size === 0 ? none : [...this.#activities.values()],
      outbox: this.#outbox.length === 0 ? none : this.#outbox.map(entry => this.#withoutContext(entry)),
      cursor,
      recent,
      sources,
      counter: this.#counter,
    }
  }

  #send(path: ActorPath, event: EventObject, now: number): Reception {
    this.#lastEvent = event.type
    return this.#collectAfter(this.#tree.send(path, event), now)
  }

  #settle(activity: ActivityRecord, outcome: LeafOutcome, now: number): Reception {
    if (outcome.status === 'error') {
      const delay = this.#retryDelay(activity, outcome.error)
      if (delay !== undefined) {
        const waiting = { ...activity, retryAt: now + delay, lastError: outcome.error }
        this.#activities.set(activity.path, waiting)
        return 'accepted'
      }
    }
    this.#activities.delete(activity.path)
    this.#lastEvent = `xstate.${outcome.status}.actor.${activity.path}`
    this.#collectAfter(this.#tree.settle(activity.path, outcome), now)
    return 'accepted'
  }

  #retryDelay(activity: ActivityRecord, error: unknown): number | undefined {
    const spec = activitySpecOf(this.#tree.logicOf(activity.path))
    if (spec === undefined) return undefined
    return retryDelay(spec.retry, activity.attempt, error, spreadOf(activity))
  }

  #collectAfter(transitioned: boolean, now: number): Reception {
    this.#collect(now)
    return transitioned ? 'accepted' : 'ignored'
  }

  /** Takes what the tree asked for into the record, or among the effects, or both. */
  #collect(now: number): void {
    for (const effect of this.#tree.takeEffects()) this.#take(effect, now)
    if (this.#tree.status === 'active') return
    this.#timers.clear()
    for (const path of this.#activities.keys()) this.#stopActivity(path)
  }

  #take(effect: TreeEffect, now: number): void {
    switch (effect.type) {
      case 'setTimer': {
        const { owner, id, target, event } = effect
        const dueAt = now + Math.max(0, effect.delayMs)
        // An infinite delay means never; what never comes due need not be kept.
        if (dueAt === Number.POSITIVE_INFINITY) this.#timers.delete(timerKey(owner, id))
        else this.#timers.set(timerKey(owner, id), { owner, id, target, event, dueAt, seq: ++this.#counter })
        return
      }
      case 'cancelTimer':
        this.#timers.delete(timerKey(effect.owner, effect.id))
        return
      case 'cancelTimers':
        for (const [key, timer] of this.#timers) if (timer.owner === effect.owner) this.#timers.delete(key)
        return
      case 'start': {
        const { path, src, input } = effect
        const activity = { path, src, input, incarnation: ++this.#counter, attempt: 1, startedAt: now }
        this.#activities.set(path, activity)
        this.#effects.push({ type: 'startActivity', activity })
        return
      }
      case 'stop':
        this.#stopActivity(effect.path)
        return
      case 'deliver': {
        const incarnation = this.#activities.get(effect.path)?.incarnation
        if (incarnation !== undefined) this.#effects.push({ ...effect, incarnation })
        return
      }
      case 'emit':
        this.#post({ type: 'emit', effectId: this.#effectId(), event: effect.event })
        return
      case 'log':
        this.#effects.push(effect)
        return
      case 'action':
        this.#takeAction(effect)
    }
  }

  #takeAction(action: Extract<TreeEffect, { type: 'action' }>): void {
    const { owner, name, params, event, context, exec } = action
    const effectId = this.#effectId()
    const run = () => this.#tree.runAction(owner, exec, { context, event, params })
    this.#effects.push({ type: 'action', effectId, owner, name: name ?? '(anonymous)', run })
    if (name === undefined) return
    this.#outbox = [
      ...this.#outbox,
      { type: 'action', effectId, owner, action: name, params, event, context },
    ]
  }

  /** An action mostly saw the context that its record ends with: then the record need not hold it twice. */
  #withoutContext(entry: OutboxEntry): OutboxEntry {
    if (entry.type !== 'action' || entry.context !== this.#tree.contextOf(entry.owner)) return entry
    const { context: _, ...stored } = entry
    return stored
  }

  #withContext(entry: OutboxEntry): OutboxEntry {
    if (entry.type !== 'action' || 'context' in entry) return entry
    return { ...entry, context: this.#tree.contextOf(entry.owner) }
  }

  #post(entry: Extract<OutboxEntry, { type: 'emit' }>): void {
    this.#outbox = [...this.#outbox, entry]
    this.#effects.push(entry)
  }

  /** The effect of an entry found in a stored record; undefined when its action no longer exists. */
  #effectOf(entry: OutboxEntry): Effect | undefined {
    if (entry.type === 'emit') return entry
    const { effectId, owner, action, params, event, context } = entry
    const exec = this.#tree.findAction(owner, action)
    if (exec === undefined) return undefined
    const run = () => this.#tree.runAction(owner, exec, { context, event, params })
    return { type: 'action', effectId, owner, name: action, run }
  }

  #stopActivity(path: ActorPath): void {
    const activity = this.#activities.get(path)
    if (activity === undefined) return
    this.#activities.delete(path)
    const { incarnation } = activity
    const unstarted = this.#effects.findIndex(
      effect => effect.type === 'startActivity' && effect.activity.incarnation === incarnation,
    )
    // Started and stopped before any commit: nobody need ever know.
    if (unstarted >= 0) this.#effects.splice(unstarted, 1)
    else this.#effects.push({ type: 'stopActivity', path, incarnation })
  }

  /** Never given twice to different effects: the counter is part of the record that lists the effect. */
  #effectId(): string {
    return `${this.#identity.workflow}/${this.#identity.id}:${++this.#counter}`
  }
}

function timerKey(owner: ActorPath, id: string): string {
  return `${owner}\n${id}`
}

function byDueTime(a: Timer, b: Timer): number {
  return a.dueAt - b.dueAt || a.seq - b.seq
}
