/**
 * One partition of the instances, for as long as this node holds its lease.
 *
 * Envelopes arrive in the order of the inbox and are never handed back: an instance therefore never sees a
 * later envelope before an earlier one, which is what makes its cursor sound. Failure cases:
 *
 * - an envelope cannot be understood or is for nobody: it is kept among the dead letters, then acknowledged;
 * - an instance is stopped, or takes nothing for too long: what it is sent is parked, see mailbox.ts;
 * - an instance cannot go on and leaves envelopes unsettled: the whole partition must be opened anew, so that
 *   they come again before anything later does;
 * - an envelope is for a workflow that other nodes run, and this one does not: it is parked, see foreign-workflows.ts;
 * - a workflow is paused: its instances are held, and what they are sent is parked, see holds.ts;
 * - the lease is lost: everything is forgotten, nothing acknowledged.
 */
import type { CancelManner } from '../../actors/cancellation.ts'
import { isControl, type Delivery, type Outcome, type Refusal } from '../../actors/envelope.ts'
import { isRuntimeError } from '../../actors/errors.ts'
import type { PreparedWorkflow } from '../../actors/machine.ts'
import { poolWorkflow } from '../../actors/pool.ts'
import type { InboxListener, InboxMessage, Parking, ScannedRecord } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { Beat } from '../../actors/remote-activity.ts'
import type { SupervisionQuestion } from '../../actors/supervision.ts'
import { formatAddress, parseAddress } from '../workflow/address.ts'
import { answer } from './answer.ts'
import { ForeignWorkflows } from './foreign-workflows.ts'
import { Hosting, type HostingContext, type Received } from './hosting.ts'
import { checkDelivery } from './check-delivery.ts'
import { Holds, type Hold } from './holds.ts'
import type { HostedWorkflow } from './hosted-workflow.ts'
import { Mailbox } from './mailbox.ts'
import { persistently } from './persistently.ts'
import { Refusals } from './refusals.ts'
import { supervisedInstances } from './supervised.ts'

export interface PartitionContext extends Omit<HostingContext, 'settled' | 'stopped' | 'goesOn' | 'ended'> {
  /** Whether some node runs the workflow of that name, or has run it. */
  readonly isRegistered: (workflow: string) => Promise<boolean>
  readonly number: number
  readonly parking: Parking
  /** The workflows that are paused from the first. */
  readonly paused: ReadonlySet<string>
  /** As `wakeAt`, for a moment that was read a while ago. */
  readonly wakeAtLatest: (address: Address, dueAt: number | undefined) => void
  /** By name. */
  readonly workflows: ReadonlyMap<string, HostedWorkflow>
  /** The partition cannot go on as it is: it must be given up and opened anew. */
  readonly failed: (error: Error) => void
}

/** Instances being loaded at the same time, to see whether they take what is parked. */
const loadingTogether = 16

export class Partition implements InboxListener {
  readonly #context: PartitionContext
  readonly #hostingContext: HostingContext
  readonly #hostings = new Map<string, Hosting>()
  /** By address, those that have something to remember. */
  readonly #mailboxes = new Map<string, Mailbox>()
  readonly #refusals: Refusals
  readonly #holds: Holds
  readonly #foreign: ForeignWorkflows
  readonly #background = new Set<Promise<void>>()
  /** What came before it was known what is parked. Undefined from then on. */
  #early: InboxMessage[] | undefined = []
  #learned: Promise<void> = Promise.resolve()
  /** Takes nothing more. */
  #isEnding = false
  /** Settles nothing more either. */
  #isClosed = false
  #onEnded: (() => void) | undefined

  constructor(context: PartitionContext) {
    this.#context = context
    this.#holds = new Holds(context.paused)
    this.#hostingContext = {
      ...context,
      settled: (hosting, delivery, outcome) => this.#settled(hosting, delivery, outcome),
      stopped: ({ address }, isThere) => this.#mailbox(address).stopped(isThere),
      goesOn: ({ key }, isThere) => this.#mailboxes.get(key)?.goesOn(isThere),
      ended: (hosting, error) => this.#ended(hosting, error),
    }
    this.#refusals = new Refusals({
      ...context,
      isClosed: () => this.#isClosed,
      track: work => this.#track(work),
    })
    this.#foreign = new ForeignWorkflows({
      clock: context.clock,
      log: context.log,
      isRegistered: context.isRegistered,
      known: (workflow, isRegistered, messages) => this.#knownForeign(workflow, isRegistered, messages),
      isOver: () => this.#isEnding,
      track: work => this.#track(work),
    })
  }

  /** Learns what is parked. Envelopes may come at once, but are taken after that. */
  begin(): void {
    this.#learned = this.#learn()
    this.#track(this.#learned)
  }

  /** Whether it takes nothing more. */
  get isEnding(): boolean {
    return this.#isEnding
  }

  /** How many instances are in memory. */
  get resident(): number {
    return this.#hostings.size
  }

  /** What is in memory, for who looks. */
  supervised(question: SupervisionQuestion, limit: number): ReturnType<typeof supervisedInstances> {
    return supervisedInstances(this.#hostings.values(), question, limit)
  }

  message(message: InboxMessage): void {
    if (this.#isEnding || this.#refusals.has(message)) return
    if (this.#early !== undefined) {
      this.#early.push(message)
      return
    }
    const delivery = this.#admit(message)
    if (delivery !== undefined) this.#mailbox(delivery.envelope.target).take(delivery)
  }

  /** The inbox has ended this term: another owner has begun, or the consumer is gone. */
  ended(error: Error): void {
    if (!this.#isEnding) this.#context.failed(error)
  }

  /** Stops the instances of a workflow that is paused. They take nothing but control envelopes. */
  hold(workflow: string): void {
    this.#holds.close(workflow)
    for (const hosting of this.#hostings.values()) {
      if (hosting.address.workflow === workflow) hosting.instance.hold(true)
    }
    for (const [key, mailbox] of this.#mailboxes) {
      if (!this.#hostings.has(key) && parseAddress(key).workflow === workflow) mailbox.found()
    }
  }

  /**
   * Lets the instances of workflows go on. Those that are not in memory must be found once more.
   *
   * @returns settles, never rejects, when they go on
   */
  letGo(workflows: readonly string[]): Promise<void> {
    const letting = this.#letGo(this.#holds.opening(workflows))
    this.#track(letting)
    return letting
  }

  /** Wakes an instance whose moment has come. One that is held is found again when it goes on. */
  wake(address: Address): void {
    if (this.#holds.has(address.workflow)) return
    const workflow = this.#context.workflows.get(address.workflow)
    if (workflow !== undefined && !this.#isEnding) this.#host(address, workflow.prepared).instance.wake()
  }

  /** A worker is at an activity of an instance. */
  beat(beat: Beat): void {
    const { workflow: name } = beat.instance
    const workflow = this.#context.workflows.get(name)
    // What is not heard now is said again.
    if (workflow === undefined || this.#early !== undefined || this.#isEnding || this.#holds.has(name)) return
    this.#host(beat.instance, workflow.prepared).pulses.beat(beat)
  }

  /** A cancel is on its way to an instance. One that is not in memory has nothing running. */
  hinted(address: Address, manner: CancelManner): void {
    if (!this.#isEnding) this.#hostings.get(formatAddress(address))?.hinted(manner)
  }

  /**
   * Takes up what a record of this partition owes, found when the partition was taken over.
   *
   * @returns settles, never rejects, once its record has been read, if it had to be
   */
  async recover(scanned: ScannedRecord): Promise<void> {
    await this.#learned
    if (this.#isEnding) return
    const { address, summary } = scanned
    const workflow = this.#context.workflows.get(address.workflow)
    if (workflow === undefined || this.#holds.has(address.workflow)) return
    if (summary.owes > 0) await this.#host(address, workflow.prepared).loading
    // It may have been in memory since it was read, and have come by another moment.
    else if (!this.#hostings.has(formatAddress(address))) this.#context.wakeAtLatest(address, summary.dueAt)
  }

  /**
   * Finishes the turns under way, then forgets everything: what waits is for the next owner, who has it sooner than it
   * would be done here. The caller has closed the inbox before.
   *
   * @param signal gives up waiting: what is under way is left for the next owner
   */
  async drain(signal: AbortSignal): Promise<void> {
    this.#isEnding = true
    for (const hosting of this.#hostings.values()) hosting.instance.finish()
    while (this.#hostings.size > 0 && !signal.aborted) await this.#nextEnd(signal)
    await Promise.race([Promise.allSettled(this.#background), aborted(signal)])
    this.abandon()
  }

  /** Forgets everything at once. Nothing more is acknowledged. */
  abandon(): void {
    this.#isEnding = true
    this.#isClosed = true
    for (const hosting of this.#hostings.values()) hosting.instance.abandon()
    this.#hostings.clear()
    for (const mailbox of this.#mailboxes.values()) mailbox.close()
    this.#mailboxes.clear()
  }

  async #learn(): Promise<void> {
    const found = await this.#findParked()
    if (found === undefined) return
    const { workflows } = this.#context
    // What nobody here can take stays parked.
    const wanted = found.filter(({ workflow }) => workflows.has(workflow) && !this.#holds.has(workflow))
    this.#noteParked(wanted)
    const early = this.#early ?? []
    this.#early = undefined
    for (const message of early) this.message(message)
    if (wanted.length > 0) this.#track(this.#loadAll(wanted.values()))
  }

  async #letGo(opening: ReadonlyMap<string, Hold>): Promise<void> {
    const found = await this.#findParked()
    if (found === undefined) return
    const open = this.#holds.open(opening)
    this.#noteParked(found.filter(({ workflow }) => open.has(workflow)))
    for (const { address, instance } of this.#hostings.values()) {
      if (open.has(address.workflow)) instance.hold(false)
    }
    const waiting = [...this.#mailboxes.keys()].filter(key => !this.#hostings.has(key)).map(parseAddress)
    await this.#loadAll(waiting.filter(({ workflow }) => open.has(workflow)).values())
  }

  /** They are loaded next, and then take it. */
  #noteParked(addresses: readonly Address[]): void {
    for (const address of addresses) {
      if (!this.#mailboxes.has(formatAddress(address))) this.#mailbox(address).found()
    }
  }

  /** The instances of which anything is parked; undefined when it is of no interest any more. */
  async #findParked(): Promise<readonly Address[] | undefined> {
    const { clock, failed, log, number, parking } = this.#context
    let found: readonly Address[] = []
    const failure = await persistently(
      async () => {
        found = await parking.instances(number)
      },
      clock,
      () => this.#isEnding,
      error => log.warn({ err: error }, 'it could not be seen what is parked'),
    )
    if (this.#isEnding) return undefined
    if (failure === undefined) return found
    failed(failure as Error)
    return undefined
  }

  /** Loads instances of which something is parked, so that those that go on take it. */
  async #loadAll(addresses: Iterator<Address>): Promise<void> {
    const load = async () => {
      for (let next = addresses.next(); next.done !== true && !this.#isEnding; next = addresses.next()) {
        // What nobody here can take stays parked.
        const workflow = this.#context.workflows.get(next.value.workflow)
        if (workflow !== undefined) await this.#host(next.value, workflow.prepared).loading
      }
    }
    await Promise.all(Array.from({ length: loadingTogether }, load))
  }

  /** The envelope as its machine shall see it; undefined when it is refused. */
  #admit(message: InboxMessage): Received | undefined {
    const { content } = message
    if ('malformed' in content) {
      this.#refusals.bury(message, 'ENVELOPE_MALFORMED', content.malformed.message)
      return undefined
    }
    const { target } = content.envelope
    const workflow = this.#context.workflows.get(target.workflow)
    if (workflow === undefined) {
      const { envelope, replyTo } = content
      if (!this.#holds.has(target.workflow)) this.#foreign.take(target.workflow, message)
      else if (isControl(envelope) && replyTo !== undefined)
        this.#refusals.decline(message, this.#unknown(target))
      else return { ...content, isInOrder: true, message }
      return undefined
    }
    const checked = checkDelivery(workflow, content)
    // In this order: behind what is spread, V8 of Node 20 takes microseconds to add a name.
    if (checked.type === 'accepted') return { message, ...checked.delivery }
    this.#refusals.reject(message, checked)
    return undefined
  }

  #knownForeign(workflow: string, isRegistered: boolean, messages: readonly InboxMessage[]): void {
    if (!isRegistered) {
      for (const message of messages) this.#refusals.reject(message, this.#unknown({ workflow }))
      return
    }
    this.#context.log.warn(
      { workflow },
      'this node does not run a workflow: what is sent is parked for one that does',
    )
    this.#holds.close(workflow)
    for (const message of messages) this.message(message)
  }

  #mailbox(address: Address): Mailbox {
    const key = formatAddress(address)
    let mailbox = this.#mailboxes.get(key)
    if (mailbox === undefined) {
      mailbox = this.#openMailbox(key, address)
      this.#mailboxes.set(key, mailbox)
      // What was parked of it before has been forgotten.
      if (this.#holds.has(address.workflow) && !this.#hostings.has(key)) mailbox.found()
    }
    return mailbox
  }

  #openMailbox(key: string, address: Address): Mailbox {
    const { clock, inbox, log, parking } = this.#context
    return new Mailbox({
      address,
      clock,
      log,
      parking,
      prefetch: inbox.prefetch,
      admit: message => this.#admit(message),
      isRefused: message => this.#refusals.hasCopyOf(message),
      load: () => {
        this.#host(address, this.#context.workflows.get(address.workflow)!.prepared, key)
      },
      hand: delivery => {
        // Only what is admitted is handed over.
        const { prepared } = this.#context.workflows.get(address.workflow)!
        this.#host(address, prepared, key, delivery).instance.deliver(delivery)
      },
      flush: () => this.#hostings.get(key)?.instance.flush(),
      yield: () => this.#hostings.get(key)?.instance.yield() ?? true,
      bury: (message, reason) => this.#refusals.bury(message, 'PAYLOAD_TOO_LARGE', reason),
      isOver: () => this.#isEnding,
      track: work => this.#track(work),
      emptied: () => this.#forgetEmpty(key),
    })
  }

  /** An instance in memory may soon be sent more. */
  #forgetEmpty(key: string): void {
    const mailbox = this.#mailboxes.get(key)
    if (mailbox === undefined || this.#hostings.has(key)) return
    // However many are sent something while they are held, those remembered are few.
    const isForgettable = mailbox.isForgettable && this.#holds.isClosed(parseAddress(key).workflow)
    if (!mailbox.isEmpty && !isForgettable) return
    mailbox.close()
    this.#mailboxes.delete(key)
  }

  /** @param work never rejects */
  #track(work: Promise<void>): void {
    const tracked = work.then(() => {
      this.#background.delete(tracked)
    })
    this.#background.add(tracked)
  }

  /** @param first what it is handed next, if it is that for which it comes into memory */
  #host(
    address: Address,
    workflow: PreparedWorkflow,
    key = formatAddress(address),
    first?: Delivery,
  ): Hosting {
    let hosting = this.#hostings.get(key)
    if (hosting === undefined) {
      const isHeld = this.#holds.has(address.workflow)
      const isNew = !isHeld && first !== undefined && this.#context.newcomers.presumes(first, workflow)
      hosting = new Hosting(address, workflow, this.#hostingContext, isHeld, isNew)
      this.#hostings.set(key, hosting)
    }
    return hosting
  }

  #settled({ key }: Hosting, delivery: Received, outcome: Outcome): void {
    if (this.#isClosed) return
    const { message } = delivery
    if (outcome.type === 'rejected') {
      this.#refusals.reject(message, outcome)
    } else {
      message.ack()
      if (delivery.replyTo !== undefined) answer(message, outcome, this.#context.log)
    }
    this.#mailboxes.get(key)?.settled(message)
  }

  #ended(hosting: Hosting, error: Error | undefined): void {
    const { key } = hosting
    if (this.#hostings.get(key) === hosting) this.#hostings.delete(key)
    const hasUnsettled = this.#mailboxes.get(key)?.hasHanded === true
    this.#forgetEmpty(key)
    this.#onEnded?.()
    // Without the partition none can, which is known.
    if (this.#isClosed || error === undefined || this.#context.tenure.isOver) return
    this.#context.log.error({ err: error, instance: key }, 'an instance cannot go on')
    // What it has not settled comes again, and what it owes is found again, once the partition is opened anew.
    if (hasUnsettled || isRuntimeError(error, 'REVISION_CONFLICT')) this.#context.failed(error)
  }

  #nextEnd(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        this.#onEnded = undefined
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#onEnded = done
      signal.addEventListener('abort', done)
    })
  }

  #unknown({ workflow }: Pick<Address, 'workflow'>): Refusal {
    const names = [...this.#context.workflows.keys()].filter(name => name !== poolWorkflow).join(', ')
    const message = `no workflow '${workflow}' on this node: it has ${names}`
    return { type: 'rejected', code: 'WORKFLOW_UNKNOWN', message }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
