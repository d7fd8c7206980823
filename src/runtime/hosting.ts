import type { AnyActorLogic } from 'xstate'

import { hintTrustMs, type CancelManner } from '../../actors/cancellation.ts'
import type { ActivityReport } from '../../actors/activity.ts'
import type { Draft } from '../../actors/draft.ts'
import type { Effect } from '../../actors/effect.ts'
import type {
  AcquireMessage,
  Delivery,
  Envelope,
  GrantMessage,
  Outcome,
  ReleaseMessage,
  SettleMessage,
} from '../../actors/envelope.ts'
import { isRuntimeError, type RuntimeError } from '../../actors/errors.ts'
import { Instance } from '../../actors/instance.ts'
import type { InstanceHost, Verdict } from '../../actors/instance-host.ts'
import type { PreparedWorkflow } from '../../actors/machine.ts'
import { plainError } from '../../actors/plain-error.ts'
import type {
  Blobs,
  Clock,
  EventSink,
  Hints,
  Inbox,
  InboxMessage,
  RecordSummary,
  Tasks,
  TimerHandle,
} from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { InstanceRecord, PostedMessage } from '../../actors/record.ts'
import type { TaskName } from '../../actors/remote-activity.ts'
import { digest } from '../codec/digest.ts'
import { encodeValue } from '../codec/msgpack.ts'
import { formatAddress } from '../workflow/address.ts'
import type { Activities } from './activities.ts'
import type { CommitRoom, Entrant } from './commit-room.ts'
import type { Committer } from './committer.ts'
import type { Log } from './log.ts'
import type { Newcomers } from './newcomers.ts'
import { persistently } from './persistently.ts'
import { RemotePulses } from './remote-pulses.ts'
import type { Rester, Resting } from './resting.ts'
import type { Tenure } from './tenure.ts'

/** A delivery with the message it came in. */
export interface Received extends Delivery {
  readonly message: InboxMessage
}

/** A message on its way to another instance. */
type Posting = Pick<Extract<Effect, { type: 'post' }>, 'effectId' | 'target'>

/** What hosting an instance takes: the node's own things, and the partition it belongs to. */
export interface HostingContext {
  readonly activities: Activities
  readonly blobs: Blobs
  readonly clock: Clock
  readonly committer: Committer
  /** Of the node. */
  readonly newcomers: Newcomers
  /** Of the node. */
  readonly resting: Resting
  /** Of the node. */
  readonly room: CommitRoom
  readonly events: EventSink
  readonly hints: Hints
  readonly inbox: Inbox
  readonly log: Log
  readonly tasks: Tasks
  nextCommitId(): string
  /** Of the partition. */
  readonly tenure: Tenure
  wakeAt(address: Address, dueAt: number | undefined): void
  /** The envelope has been dealt with, and how. */
  settled(hosting: Hosting, delivery: Received, outcome: Outcome): void
  /** The instance takes nothing but control envelopes, and has forgotten what else it was handed. */
  stopped(hosting: Hosting, isThere: boolean): void
  /** The instance takes everything. */
  goesOn(hosting: Hosting, isThere: boolean): void
  /** The instance is out of memory; with an error when it could not go on. */
  ended(hosting: Hosting, error?: Error): void
}

/**
 * One instance in the memory of this node, and its hands: does what the instance asks for, and tells it what came
 * of it. After `ended` nothing reaches the instance any more.
 */
export class Hosting implements Entrant, InstanceHost<Received>, Rester {
  readonly address: Address
  readonly instance: Instance<Received>
  /** The address, written. */
  readonly key: string
  readonly #context: HostingContext
  /** Made when something is said: of most instances nothing is. */
  #ownLog: Log | undefined
  // Those that rest are listed by these.
  restedAt: number | undefined
  previous: Rester | undefined
  next: Rester | undefined
  /** Settles, never rejects, once the record has been read or cannot be. */
  loading: Promise<void> = Promise.resolve()
  /** Made when a worker is heard: few instances have any. */
  #pulses: RemotePulses | undefined
  #isEnded = false
  #flushTimer: TimerHandle | undefined
  #hintTimer: TimerHandle | undefined
  /** By destination, the last message on its way there: the next one waits for it. */
  readonly #posting = new Map<string, Promise<void>>()

  /**
   * @param isHeld whether its workflow is paused
   * @param isPresumedNew whether a start follows that may well be its first
   */
  constructor(
    address: Address,
    workflow: PreparedWorkflow,
    context: HostingContext,
    isHeld: boolean,
    isPresumedNew: boolean,
  ) {
    this.address = address
    this.key = formatAddress(address)
    this.#context = context
    this.instance = new Instance(address, workflow, this)
    this.instance.hold(isHeld)
    this.instance.begin(isPresumedNew)
  }

  /** Hears the workers that are at its activities. */
  get pulses(): RemotePulses {
    return (this.#pulses ??= new RemotePulses(this.#context.clock, report => this.#report(report)))
  }

  /** A cancel is on its way: what it will stop is aborted at once. See actors/cancellation.ts. */
  hinted(manner: CancelManner): void {
    if (!this.instance.isStoppedBy(manner)) return
    const interrupted = this.#context.activities.stopAll(this.address)
    if (interrupted.size === 0) return
    this.instance.interrupted(interrupted)
    this.#hintTimer ??= this.#context.clock.setTimer(hintTrustMs, () => {
      this.#hintTimer = undefined
      this.instance.uncancelled()
    })
  }

  load(): void {
    const { committer, tenure } = this.#context
    this.loading = committer.load(this.address, tenure).then(
      stored => this.instance.loaded(stored),
      (error: RuntimeError) => {
        if (error.code === 'REVISION_CONFLICT') this.instance.abandon(error)
        else this.instance.loadFailed(error)
      },
    )
  }

  commit(record: InstanceRecord, summary: RecordSummary, expected: number): void {
    const { committer, newcomers, room, tenure } = this.#context
    room.begun()
    void committer.commit(record, summary, expected, tenure).then(
      revision => {
        const { event, state } = summary
        if (this.#context.log.isLevelEnabled('debug'))
          this.#log.debug({ revision, event, state }, 'committed')
        this.instance.committed(revision)
        room.ended()
      },
      (error: RuntimeError) => {
        if (error.code === 'REVISION_CONFLICT') {
          const isOwner = !tenure.isOver
          if (isOwner && expected === 0) newcomers.wasThere(this.address)
          else if (isOwner) this.#log.warn({ err: error }, 'another write came first')
          this.instance.conflicted(error, isOwner)
        } else {
          this.#log.error({ err: error }, 'the record cannot be stored')
          this.instance.refused(error)
        }
        room.ended()
      },
    )
  }

  perform(effects: readonly Effect[], draft: Draft): void {
    for (const effect of effects) this.#performOne(effect, draft)
  }

  settle(delivery: Received, verdict: Verdict): void {
    this.#context.settled(this, delivery, outcomeOf(verdict))
  }

  stopped(isThere: boolean): void {
    this.#context.stopped(this, isThere)
  }

  goesOn(isThere: boolean): void {
    this.#context.goesOn(this, isThere)
  }

  wakeAt(dueAt: number | undefined): void {
    this.#context.wakeAt(this.address, dueAt)
  }

  flushAfter(delayMs: number | undefined): void {
    if (delayMs === undefined) {
      this.#flushTimer?.cancel()
      this.#flushTimer = undefined
      return
    }
    this.#flushTimer ??= this.#context.clock.setTimer(delayMs, () => {
      this.#flushTimer = undefined
      this.instance.flush()
    })
  }

  abandonActivities(): void {
    this.#context.activities.stopAll(this.address)
    this.#pulses?.stopAll()
  }

  keepActivities(attempts: ReadonlyMap<number, number>): ReadonlySet<number> {
    this.#pulses?.stopAll()
    return this.#context.activities.keep(this.address, attempts)
  }

  get isCrowded(): boolean {
    return this.#context.room.isFull
  }

  awaitRoom(): void {
    this.#context.room.await(this)
  }

  enter(): void {
    this.instance.enter()
  }

  nextCommitId(): string {
    return this.#context.nextCommitId()
  }

  now(): number {
    return this.#context.clock.now()
  }

  rested(): void {
    this.#context.resting.rested(this)
  }

  passivate(): void {
    this.instance.passivate()
  }

  ended(error?: Error): void {
    this.#isEnded = true
    this.#context.resting.gone(this)
    this.#flushTimer?.cancel()
    this.#hintTimer?.cancel()
    this.#context.room.forget(this)
    this.#context.ended(this, error)
  }

  get #log(): Log {
    const { workflow, id: instance } = this.address
    return (this.#ownLog ??= this.#context.log.child({ workflow, instance }))
  }

  #performOne(effect: Effect, draft: Draft): void {
    const { activities, blobs, events, tasks } = this.#context
    switch (effect.type) {
      case 'startActivity': {
        const { activity } = effect
        const { path, src, attempt } = activity
        activities.start({
          address: this.address,
          activity,
          logic: draft.logicOf(path) as AnyActorLogic | undefined,
          log: () => this.#log.child({ activity: src, attempt }),
          report: report => this.#report(report),
        })
        return
      }
      case 'hear':
        this.pulses.hear(effect)
        return
      case 'stopActivity':
        activities.stop(this.address, effect.path, effect.incarnation)
        this.#pulses?.stop(effect.incarnation)
        return
      case 'deliver':
        activities.deliver(this.address, effect.path, effect.event)
        return
      case 'post':
        this.#send(
          effect,
          () => effect.message,
          error => this.#unsent(effect, error),
        )
        return
      case 'startItem': {
        const { effectId, parent } = effect
        const { path, incarnation, index } = parent
        const fail = (error: unknown) => this.#fail(effectId, { path, incarnation, index }, error)
        this.#send(effect, () => ({ type: 'start', input: effect.input(), parent }), fail)
        return
      }
      case 'chunk': {
        const { effectId, name, results } = effect
        const put = () => blobs.put({ owner: this.address, name }, encodeValue(results))
        // What cannot be put stays in the record.
        void this.#deliver(effectId, put, () => {})
        return
      }
      case 'task':
        this.#postTask(effect)
        return
      case 'recall': {
        const task = { ...effect, instance: this.address }
        this.#inTurn(taskKeyOf(task), () => this.#deliver(effect.effectId, () => tasks.recall(task)))
        return
      }
      case 'emit':
        void this.#deliver(effect.effectId, () => events.emit(this.address, effect.effectId, effect.event))
        return
      case 'action':
        void this.#act(effect)
        return
      case 'log':
        this.#log.info({ actor: effect.owner, values: effect.values }, 'logged by the machine')
        return
      case 'complaint':
        this.#log.warn({ err: effect.error, activity: effect.path }, 'a retry policy has thrown')
    }
  }

  #report(report: ActivityReport): void {
    if (!this.#isEnded) this.instance.report(report)
  }

  /** Sends a message to another instance, after those before it have arrived there. */
  #send(
    { effectId, target }: Posting,
    message: () => PostedMessage,
    giveUp?: (error: unknown) => void,
  ): void {
    const { hints, inbox, clock } = this.#context
    const publish = async () => {
      const envelope = envelopeOf({ effectId, target }, message(), this.address, clock.now())
      await inbox.publish(envelope)
      if (envelope.type === 'cancel') hints.send({ target, isForced: envelope.force === true })
    }
    this.#inTurn(formatAddress(target), () => this.#deliver(effectId, publish, giveUp))
  }

  /** A message can never be sent. Who waits for what comes of it is told so; else it is forgotten. */
  #unsent({ effectId, message, target }: Extract<Effect, { type: 'post' }>, error: unknown): void {
    if (message.type === 'start' && message.parent !== undefined) {
      const { path, incarnation, index } = message.parent
      this.#fail(effectId, { path, incarnation, index }, error)
    } else if (message.type === 'acquire') {
      this.#fail(effectId, message.holder, error)
    } else if (message.type === 'settle') {
      const outcome = { status: 'error', error: isRuntimeError(error) ? error : plainError(error) } as const
      this.#send({ effectId, target }, () => ({ ...message, details: undefined, outcome }))
    } else {
      this.instance.delivered(effectId)
    }
  }

  /** Asks a worker. A task that can never be asked for has failed. */
  #postTask({ effectId, task }: Extract<Effect, { type: 'task' }>): void {
    const { attempt, incarnation, path } = task
    const fail = (error: unknown) => this.#fail(effectId, { path, incarnation, attempt }, error)
    const post = () => this.#context.tasks.post(task)
    this.#inTurn(taskKeyOf(task), () => this.#deliver(effectId, post, fail))
  }

  /** Delivers after everything before it for the same destination has been. */
  #inTurn(key: string, send: () => Promise<void>): void {
    const before = this.#posting.get(key)
    const sent = before === undefined ? send() : before.then(send)
    this.#posting.set(key, sent)
    void sent.then(() => {
      if (this.#posting.get(key) === sent) this.#posting.delete(key)
    })
  }

  /**
   * What can never be sent has failed. The instance is told through the inbox: it takes no report while it is stopped, and
   * this is told once. If the process dies before it is stored, the next owner tries to send it, and tells this again.
   */
  #fail(
    effectId: string,
    invocation: Pick<SettleMessage, 'attempt' | 'incarnation' | 'index' | 'path'>,
    error: unknown,
  ): void {
    const { clock, inbox } = this.#context
    const outcome = { status: 'error', error: isRuntimeError(error) ? error : plainError(error) } as const
    const base = {
      type: 'settle',
      id: `${effectId}.failed`,
      target: this.address,
      time: clock.now(),
    } as const
    void this.#deliver(effectId, () => inbox.publish({ ...base, ...invocation, outcome }))
  }

  /**
   * Never rejects: it is tried until it succeeds, by this node or, after it, by the next owner.
   *
   * @param giveUp told of what will never succeed. Default: it is forgotten.
   */
  async #deliver(
    effectId: string,
    attempt: () => Promise<void>,
    giveUp: (error: unknown) => void = () => this.instance.delivered(effectId),
  ): Promise<void> {
    const isOver = () => this.#isEnded
    const failure = await persistently(attempt, this.#context.clock, isOver, error => {
      this.#log.warn({ err: error, effectId }, 'a message or event could not be delivered')
    })
    // Nobody knows whether it has arrived, and nobody will answer any more: it is left to the next owner.
    if (this.#isEnded || isRuntimeError(failure, 'STORE_UNAVAILABLE')) return
    if (failure === undefined) this.instance.delivered(effectId)
    else giveUp(failure)
  }

  /** Never rejects: an action that throws has had its chance, as in a live actor system. */
  async #act(effect: Extract<Effect, { type: 'action' }>): Promise<void> {
    try {
      await effect.run()
    } catch (error) {
      this.#log.error({ err: error, action: effect.name }, 'an action failed')
    }
    if (!this.#isEnded) this.instance.delivered(effect.effectId)
  }
}

/** No address looks like this. */
function taskKeyOf({ incarnation }: Pick<TaskName, 'incarnation'>): string {
  return `task ${incarnation}`
}

const outcomeTypes = {
  accepted: 'accepted',
  duplicate: 'accepted',
  ignored: 'ignored',
  repeated: 'repeated',
  stillSuspended: 'suspended',
  suspended: 'suspended',
} as const

/** To its sender, an envelope applied before is as good as one applied now. */
function outcomeOf(verdict: Verdict): Outcome {
  if (verdict.type === 'rejected') return verdict
  const { type, revision, snapshot } = verdict
  return { type: outcomeTypes[type], revision, snapshot }
}

type UnorderedMessage = SettleMessage | AcquireMessage | ReleaseMessage | GrantMessage

/**
 * A posted message on the wire. Its number orders what one instance sends to another. How a child ended, and what is said
 * about permits, needs no such order: the invocation or claim it names ends once. So the record of a pool need not remember
 * those that hold permits of it.
 */
function envelopeOf(
  { effectId, target }: Posting,
  message: PostedMessage,
  sender: Address,
  time: number,
): Envelope {
  const id = effectId
  // What is spread comes last: behind it, V8 of Node 20 takes microseconds to add a name.
  if (!isOrdered(message)) return { id, target, time, ...message }
  const position = Number(effectId.slice(effectId.lastIndexOf(':') + 1))
  const source = { name: formatAddress(sender), position }
  if (message.type !== 'start') return { id, target, time, source, ...message }
  return { id, target, time, source, inputDigest: digest(message.input), ...message }
}

function isOrdered(message: PostedMessage): message is Exclude<PostedMessage, UnorderedMessage> {
  return message.type === 'start' || message.type === 'send' || message.type === 'cancel'
}
