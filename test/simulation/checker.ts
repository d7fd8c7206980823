/**
 * Watches a run and says when something is as it must never be: at every write, every effect and every acknowledgement,
 * and once everything has come to rest.
 */
import { isControl, type Envelope } from '../../actors/envelope.ts'
import type { BlobKey, InboxMessage, Lease, ParkedPlace, PauseScope } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { MemoryRecord } from '../../src/memory/namespace.ts'
import { formatAddress, partitionOf } from '../../src/workflow/address.ts'
import type { Bugs } from './bugs.ts'
import { Attempts } from './attempts.ts'
import { brokenBy, isApplied, isFinal, isKept, isStopped, isUnwanted, linked, type Chain } from './chain.ts'
import { checkLog } from './ledger-log.ts'
import { Harvests } from './harvests.ts'
import { Holds } from './holds.ts'
import { wrongIncident } from './incidents.ts'
import { keptEntry } from './kept-incidents.ts'
import type { Fleet, LedgerEvent, PersistenceName } from './ledger.ts'
import { Orders } from './orders.ts'
import { Permits } from './permits.ts'
import type { SimProcess } from './process.ts'
import type { SimServer } from './server.ts'
import type { Job } from './outside.ts'
import type { World } from './world.ts'

export interface CheckerContext {
  readonly bugs: Bugs
  /** Whether wall clocks jump in this run. */
  readonly clocksJump: boolean
  /** How long one message takes on average. */
  readonly latencyMs: number
  readonly partitions: number
  readonly persistence: PersistenceName
  readonly world: World
}

/** What a process has done for an instance, as often as it may. */
interface Repetitions {
  readonly term: number
  allowed: number
  done: number
}

/** How long after the storm requests that were lost in it may still be waited for. */
const aftermathMs = 3_000

/** See `actors/persistence.ts`. */
const mostHeldMs = 1_000

export class Checker {
  readonly attempts = new Attempts()
  readonly holds = new Holds()
  readonly orders = new Orders(what => this.#world.violated(what))
  readonly #context: CheckerContext
  readonly #world: World
  /** By address. */
  readonly #chains = new Map<string, Chain>()
  readonly #leases = new Map<SimProcess, Map<number, Lease>>()
  /** When each partition was opened last. */
  readonly #openedAt = new Map<number, number>()
  readonly #done = new Map<string, Repetitions>()
  /** How often a process has had a reason to do anything again, by process and instance: the write of another, a resume. */
  readonly #reasons = new Map<string, number>()
  /** When each instance was resumed last. */
  readonly #resumedAt = new Map<string, number>()
  /** Who has stored the last record of each instance. */
  readonly #writers = new Map<string, SimProcess>()
  /** The same, of all records. */
  readonly #everWritten = new Set<string>()
  /** By envelope id, those that no instance can take, with the code they must be kept under. */
  readonly #misfits = new Map<string, string>()
  /** By address: whether a start has come that must be accepted, or one that must not. */
  readonly #starts = new Map<string, 'accepted' | 'refused'>()
  readonly #buried = new Map<string, string>()
  /** The events that each instance was sent, in the order of each sender. */
  readonly #sent = new Map<string, LedgerEvent[]>()
  /** The same, by tag. */
  readonly #events = new Map<string, LedgerEvent>()
  readonly #started = new Set<string>()
  /** The ids of all envelopes. */
  readonly #arrived = new Set<string>()
  /** The ids of those that came more than once. */
  readonly #repeated = new Set<string>()
  /** The type of each control envelope, by its id. */
  readonly #controls = new Map<string, Envelope['type']>()
  /** Inbox sequences of all that was ever parked. */
  readonly #parked = new Set<number>()
  /** Those that were settled when they were parked. */
  readonly #strays = new Set<number>()
  /** How often the custom action of each event has run. */
  readonly #actions = new Map<string, number>()
  readonly #harvests = new Harvests()
  readonly #permits = new Permits('permits')
  readonly #yard = new Permits('yard')
  #calmSince = Number.POSITIVE_INFINITY
  /** When a process has last let instances go on that it had held. */
  #letGoAt = 0

  constructor(context: CheckerContext) {
    this.#context = context
    this.#world = context.world
  }

  /**
   * A machine is about to write that down.
   *
   * @throws Error when it has a bug there
   */
  writing(entry: string): void {
    this.#context.bugs.meet(entry)
  }

  /** The start of the instance is durable. */
  started(id: string): void {
    this.#started.add(id)
  }

  /** The event is being sent. */
  sending(id: string, event: LedgerEvent): void {
    this.#events.set(event.tag, event)
    const sent = this.#sent.get(id)
    if (sent === undefined) this.#sent.set(id, [event])
    else sent.push(event)
  }

  /** This envelope must end among the dead letters. */
  misfit(envelopeId: string, code: string): void {
    this.#misfits.set(envelopeId, code)
  }

  /** An envelope comes to the server. */
  arrived(envelope: Envelope): void {
    if (this.#arrived.has(envelope.id)) this.#repeated.add(envelope.id)
    this.#arrived.add(envelope.id)
    if (isControl(envelope)) this.#controls.set(envelope.id, envelope.type)
    if (envelope.type !== 'start') return
    const isRefused = (envelope.input as Partial<Job>).isRefused === true
    this.#starts.set(formatAddress(envelope.target), isRefused ? 'refused' : 'accepted')
  }

  /** A sender was told what became of its event. */
  answered(id: string, event: LedgerEvent, type: string): void {
    const chain = this.#chains.get(`ledger/${id}`)
    const mayBeIgnored = this.#repeated.has(event.tag) && isUnwanted(chain)
    const isTrue = {
      // One that comes again is answered so, whatever has become of it.
      accepted: isApplied(chain, { ...event }) || isKept(chain, { ...event }) || mayBeIgnored,
      ignored: isUnwanted(chain),
      repeated: isApplied(chain, { ...event }) || isKept(chain, { ...event }) || isUnwanted(chain),
      rejected: isFinal(chain),
      suspended: isKept(chain, { ...event }),
    }[type]
    if (isTrue !== true)
      this.#world.violated(`${event.tag} to ${id} was answered '${type}', which no record says`)
  }

  /** From here on nothing goes wrong by itself. */
  calm(): void {
    this.#calmSince = this.#world.now
  }

  leased(process: SimProcess, lease: Lease): void {
    const leases = this.#leases.get(process) ?? new Map<number, Lease>()
    this.#leases.set(process, leases)
    leases.set(lease.partition, lease)
  }

  opened(partition: number): void {
    this.#openedAt.set(partition, this.#world.now)
  }

  /** A node is about to write: it must trust its lease. */
  committing(process: SimProcess, address: Address, commit: string): void {
    this.holds.writing(process.name, address.workflow, commit)
    const lease = this.#leaseOf(process, address)
    if (lease !== undefined && process.clock.monotonic() < lease.trustedUntil) return
    this.#world.violated(`${process.name} writes ${formatAddress(address)} without a lease that it can trust`)
  }

  /** A write was refused. */
  conflicted(process: SimProcess, address: Address, commit: string): void {
    // Its own write, sent again because the answer was lost, is no reason to do anything again.
    if (this.#chains.get(formatAddress(address))?.summary.commit === commit) return
    this.#mayRepeat(process, address)
  }

  /** A record was stored. */
  committed(process: SimProcess, stored: MemoryRecord): void {
    const key = formatAddress(stored.address)
    const last = this.#chains.get(key)
    const next = linked(last, stored, this.#controls)
    if (isStopped(last) && !isStopped(next)) {
      this.#resumedAt.set(key, this.#world.now)
      this.#mayRepeat(process, stored.address)
    }
    const wrong =
      last &&
      (brokenBy(last, next) ?? wrongIncident(last, next) ?? this.#wrongTimer(last, next, stored.partition))
    if (wrong !== undefined) this.#world.violated(`${process.name} has written ${key}: ${wrong}`)
    const wrongStep =
      this.holds.stored(process.name, last, next) ??
      this.#permits.stored(next) ??
      this.#yard.stored(next) ??
      this.orders.stored(next) ??
      this.#wrongAttempt(process, last, next, stored.partition)
    if (wrongStep !== undefined) this.#world.violated(`${process.name} has written ${key}: ${wrongStep}`)
    next.commits.add(next.summary.commit)
    this.#chains.set(key, next)
    this.#writers.set(key, process)
    this.#everWritten.add(`${process.name} ${key}`)
    const { owes, dueAt, state } = next.summary
    this.#world.note(
      `  stored ${key} ${state} owes ${owes}, due ${dueAt ?? 'never'}: ${next.added.join(', ')}`,
    )
  }

  /** A hint reaches a process: what it interrupts may run again, when the cancel takes its time. */
  hinted(process: SimProcess, address: Address): void {
    this.#mayRepeat(process, address)
  }

  /** A node is about to emit an event: the record that asks for it must be stored. */
  emitting(process: SimProcess, address: Address, effectId: string): void {
    const key = formatAddress(address)
    if (this.#chains.get(key)?.asked.has(effectId) === true) return
    this.#world.violated(`${process.name} emits ${effectId}, which no record of ${key} asks for`)
  }

  /** Results of a bulk are put away. */
  kept(process: SimProcess, key: BlobKey, content: Uint8Array): void {
    const wrong = this.#harvests.kept(key, content)
    if (wrong !== undefined) this.#world.violated(`${process.name}: ${wrong}`)
  }

  /** An attempt of an activity begins: the record that asks for it must be stored, and it must not run already. */
  ran(process: SimProcess, idempotencyKey: string, attempt: number, lastHeartbeat: unknown): void {
    // There activities begin before a record lists them, and do so again, under other keys, after a crash.
    if (this.#context.persistence === 'rest') return
    const [workflow = '', id = '', ...invocation] = idempotencyKey.split('/')
    const address = { workflow, id }
    const key = formatAddress(address)
    const chain = this.#chains.get(key)
    const isAsked = chain?.asked.has(invocation.join('/')) === true
    if (chain?.incidents.ended.has(invocation.join('/')) === true)
      this.#world.violated(`${process.name} runs ${idempotencyKey}, whose end is known`)
    if (!isAsked) this.#world.violated(`${process.name} runs ${idempotencyKey}, which no record asks for`)
    if (isStopped(chain) && this.#writers.get(key) === process)
      this.#world.violated(`${process.name} runs ${idempotencyKey}, but has stopped ${key}`)
    if (isFinal(chain) && this.#writers.get(key) === process)
      this.#world.violated(`${process.name} runs ${idempotencyKey}, but has ended ${key}`)
    const wrong = this.attempts.begins(idempotencyKey, attempt, lastHeartbeat)
    if (wrong !== undefined) this.#world.violated(`${process.name} runs ${idempotencyKey}: ${wrong}`)
    this.#countOnce(process, address, idempotencyKey)
  }

  /** The attempt has failed by itself: there may be another one. */
  failed(process: SimProcess, idempotencyKey: string): void {
    const repetitions = this.#done.get(`${process.name} ${idempotencyKey}`)
    if (repetitions !== undefined) repetitions.allowed++
  }

  /** The process has let instances go on that it had held: what ran then runs again. */
  letGo(process: SimProcess, scope: PauseScope): void {
    this.holds.letGo(process.name, scope)
    this.#letGoAt = this.#world.now
    for (const key of this.#done.keys()) if (key.startsWith(`${process.name} `)) this.#done.delete(key)
  }

  /** A custom action runs: its event must be stored. */
  acted(process: SimProcess, tag: string): void {
    this.#actions.set(tag, (this.#actions.get(tag) ?? 0) + 1)
    const chain = [...this.#chains.values()].find(({ log }) => log.includes(tag))
    if (chain === undefined) this.#world.violated(`${process.name} acts for ${tag}, which no record has seen`)
    else this.#countOnce(process, chain.address, `the action of ${tag}`)
  }

  /** An envelope is about to be acknowledged: its outcome must be stored, or itself among the parked ones. */
  acknowledging(process: SimProcess, content: InboxMessage['content']): void {
    if (this.#parked.has(content.seq) || this.#isSettled(content)) return
    this.#world.violated(`${process.name} acknowledges ${content.seq}, whose outcome is not stored`)
  }

  /** Envelopes were parked: in the order of the inbox. */
  parked(
    process: SimProcess,
    address: Address,
    messages: readonly InboxMessage[],
    last: ParkedPlace | undefined,
  ): void {
    let before = last?.seq ?? 0
    for (const { content } of messages) {
      if (content.seq <= before) {
        this.#world.violated(
          `${process.name} parks ${content.seq} of ${formatAddress(address)} behind ${before}`,
        )
      }
      before = content.seq
      this.#parked.add(content.seq)
      // A write that arrives late: whoever owns the partition next removes it.
      if (this.#isSettled(content)) this.#strays.add(content.seq)
    }
  }

  /** A parked envelope is about to be removed: its outcome must be stored. */
  removing(process: SimProcess, content: InboxMessage['content']): void {
    if (this.#isSettled(content)) return
    this.#world.violated(
      `${process.name} removes ${content.seq} from the parked, but its outcome is not stored`,
    )
  }

  #isSettled(content: InboxMessage['content']): boolean {
    if ('malformed' in content) return true
    const { envelope } = content
    const key = formatAddress(envelope.target)
    const chain = this.#chains.get(key)
    if (this.#buried.has(envelope.id) || isFinal(chain) || isUnwanted(chain)) return true
    // There is nothing to be stopped.
    if (envelope.type === 'cancel' && this.#starts.get(key) !== 'accepted') return true
    if (envelope.type !== 'send') return chain !== undefined
    return isApplied(chain, envelope.event) || isKept(chain, envelope.event)
  }

  /** An envelope is kept as a dead letter. */
  buried(content: InboxMessage['content'], code: string, reason: string): void {
    const id = 'malformed' in content ? `malformed ${content.seq}` : content.envelope.id
    const isExpected =
      this.#misfits.get(id) === code || (code === 'INPUT_INVALID' && this.#isRefused(content))
    if (!isExpected) this.#world.violated(`${id} is a dead letter: ${code}: ${reason}`)
    this.#buried.set(id, code)
  }

  /** What is still to be done; empty when everything is at rest. */
  unsettled(server: SimServer): readonly string[] {
    const unsettled: string[] = []
    const parked = server.parked.filter(seq => !this.#strays.has(seq))
    if (parked.length > 0) unsettled.push(`${parked.join(', ')} are parked`)
    if (server.waiting > 0) unsettled.push(`${server.waiting} envelopes are not acknowledged`)
    const tasks = server.namespace.tasks.stored.size
    if (tasks > 0) unsettled.push(`${tasks} tasks are not done`)
    const ofPool = this.#permits.unsettled() ?? this.#yard.unsettled()
    if (ofPool !== undefined) unsettled.push(ofPool)
    for (const id of this.#started) {
      if (!this.#chains.has(`ledger/${id}`)) unsettled.push(`${id} does not exist`)
    }
    for (const [key, chain] of this.#chains) {
      const { record, summary } = chain
      if (summary.owes > 0) unsettled.push(`${key} owes ${summary.owes}`)
      if (summary.dueAt !== undefined) unsettled.push(`${key} waits for ${summary.dueAt}`)
      if (isStopped(chain)) unsettled.push(`${key} is ${record.status}`)
      if (record.activities.length > 0) unsettled.push(`${key} has activities`)
      if (record.workflow === 'chore' && !isFinal(chain)) unsettled.push(`${key} has not finished`)
    }
    return unsettled
  }

  /** Everything is at rest: each instance must have gone through all that was asked of it. */
  finish(server: SimServer): void {
    for (const [id, code] of this.#misfits) {
      if (this.#buried.get(id) !== code) this.#world.violated(`${id} is not kept as a dead letter: ${code}`)
    }
    const emitted = new Map<string, Set<string>>()
    for (const { effectId, event } of server.namespace.events) {
      const tag = String(event['tag'])
      emitted.set(tag, (emitted.get(tag) ?? new Set()).add(effectId))
    }
    for (const { address, harvests } of this.#chains.values()) {
      for (const harvest of harvests) {
        const fleet = this.#events.get(harvest.tag) as Fleet
        const wrong = this.#harvests.wrongWith(harvest, fleet.jobs)
        if (wrong !== undefined) this.#world.violated(`${formatAddress(address)}: ${wrong}`)
      }
    }
    const told = this.#told()
    for (const [id, sent] of this.#sent) {
      const chain = this.#chains.get(`ledger/${id}`)!
      const wrong = checkLog(chain.log, sent, isFinal(chain), {
        actions: tag => this.#actions.get(tag) ?? 0,
        emitted: tag => emitted.get(tag)?.size ?? 0,
        skipped: chain.incidents.skipped,
        told: told.get(id) ?? new Map(),
      })
      if (wrong !== undefined)
        this.#world.violated(`ledger/${id}: ${wrong}; its log: ${chain.log.join(', ')}`)
    }
  }

  /** By instance and by who has told it: what it must have been told, in order. */
  #told(): Map<string, Map<string, string[]>> {
    const told = new Map<string, Map<string, string[]>>()
    for (const { address, log } of this.#chains.values()) {
      for (const tag of log) {
        const event = this.#events.get(tag)
        if (event?.type !== 'TELL') continue
        const ofTarget = told.get(event.to) ?? new Map<string, string[]>()
        told.set(event.to, ofTarget)
        ofTarget.set(address.id, [...(ofTarget.get(address.id) ?? []), tag])
      }
    }
    return told
  }

  /** What is wrong with the timers that have rung since the last record. */
  #wrongTimer(last: Chain, next: Chain, partition: number): string | undefined {
    const { clocksJump } = this.#context
    // What was stepped at one time of a clock may be stored at an earlier one, once the clock has jumped back.
    const isTimeKnown = !clocksJump || !this.#isHeld
    const wentOnAt = this.#wentOnAt(next.address)
    for (const entry of next.added) {
      if (!entry.startsWith('rang ')) continue
      // It was taken out when it threw.
      if (entry === keptEntry(last.record.incident)) continue
      const tag = entry.slice('rang '.length)
      if (last.log.includes(entry)) return `${entry} twice`
      const timer = last.record.timers.find(each => each.event['tag'] === tag)
      const steppedAt = next.record.updatedAt
      if (timer === undefined) {
        if (!next.added.includes(tag) || !this.#mayRingAtOnce(tag)) return `${entry}, which was not set`
      } else if (isTimeKnown && steppedAt < timer.dueAt) {
        return `${entry} ${timer.dueAt - steppedAt} ms too early`
      } else if (!clocksJump) {
        const dueAt = Math.max(timer.dueAt, wentOnAt)
        const lateMs = this.#latenessOf(dueAt, partition, steppedAt)
        if (lateMs > 0) return `${entry} ${Math.round(lateMs)} ms too late`
      }
    }
    return undefined
  }

  #wrongAttempt(
    process: SimProcess,
    last: Chain | undefined,
    next: Chain,
    partition: number,
  ): string | undefined {
    const { clocksJump, persistence } = this.#context
    if (persistence === 'rest') return undefined
    const key = formatAddress(next.address)
    const wentOnAt = this.#wentOnAt(next.address)
    return this.attempts.stored({
      last,
      next,
      process: process.name,
      hasStored: this.#everWritten.has(`${process.name} ${key}`),
      mayBeHeld: this.#letGoAt > 0,
      latenessOf: dueAt =>
        clocksJump ? 0 : this.#latenessOf(Math.max(dueAt, wentOnAt), partition, next.record.updatedAt),
    })
  }

  /** When the instance could last go on after it had been stopped or held, in the time of records. */
  #wentOnAt(address: Address): number {
    const resumedAt = this.#resumedAt.get(formatAddress(address)) ?? 0
    return Math.max(resumedAt, this.#letGoAt) + this.#world.epochMs - this.#world.now
  }

  /** It may do once more what it has done for the instance. */
  #mayRepeat(process: SimProcess, address: Address): void {
    const key = `${process.name} ${formatAddress(address)}`
    this.#reasons.set(key, (this.#reasons.get(key) ?? 0) + 1)
  }

  /** By how much a timer has rung later than it could: its partition must be served, and the network calm. */
  #latenessOf(dueAt: number, partition: number, rangAt: number): number {
    const { latencyMs, world } = this.#context
    const possibleAt = Math.max(this.#calmSince + aftermathMs, this.#openedAt.get(partition) ?? 0)
    const sinceMs = world.epochMs - world.now
    const heldMs = this.#isHeld ? mostHeldMs : 0
    return rangAt - Math.max(dueAt, sinceMs + possibleAt) - heldMs - 300 - 60 * latencyMs
  }

  /** Whether what has been stepped may wait for its commit. */
  get #isHeld(): boolean {
    const { persistence } = this.#context
    return persistence !== 'turn' && persistence !== 'transition'
  }

  /** Whether a timer may be set and ring between two commits. */
  #mayRingAtOnce(tag: string): boolean {
    const event = this.#events.get(tag)
    return event?.type === 'TIMER' && (this.#isHeld || event.delayMs < 1)
  }

  /** Counts what a process does for an instance: once in a term, save what gives it a reason to do it again. */
  #countOnce(process: SimProcess, address: Address, what: string): void {
    const term = this.#leaseOf(process, address)?.term ?? 0
    const reasons = this.#reasons.get(`${process.name} ${formatAddress(address)}`) ?? 0
    const key = `${process.name} ${what}`
    let repetitions = this.#done.get(key)
    if (repetitions?.term !== term) {
      repetitions = { term, allowed: 1 - reasons, done: 0 }
      this.#done.set(key, repetitions)
    }
    repetitions.done++
    if (repetitions.done <= repetitions.allowed + reasons) return
    this.#world.violated(`${process.name} does ${what} again, though nobody else has written`)
  }

  #isRefused(content: InboxMessage['content']): boolean {
    return !('malformed' in content) && this.#starts.get(formatAddress(content.envelope.target)) === 'refused'
  }

  #leaseOf(process: SimProcess, address: Address): Lease | undefined {
    return this.#leases.get(process)?.get(partitionOf(address, this.#context.partitions))
  }
}
