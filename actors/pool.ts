/**
 * A pool: a durable semaphore of the namespace, and how an instance comes by a permit.
 *
 * ```
 *  holder                                        pool, an instance of its own: holdfast-pool/<name>
 *  enters the state ────────── acquire ────────▶ waits, by priority, then by arrival
 *  is told `workflow.granted` ◀─── grant ─────────── as soon as enough permits are free, nobody being overtaken
 *  leaves the state, or ends ─ release ────────▶ gone, whether it held permits or still waited
 *  fails with POOL_FULL ◀───── settle ────────── too many wait
 * ```
 *
 * Each message leaves through the outbox of the record that asks for it, so on both sides everything is in one record, at
 * every moment: the holder's says that it wants or has a permit, and until when it waits; the pool's says who holds and
 * who waits. A claim is named by the holder's address, path and incarnation, which never come again, and everything said
 * about it may be said twice. An activity with a pool asks for each of its attempts: in place of the incarnation its claims
 * have numbers of their own, since a release of the last one may come late, when the next one is served:
 *
 * - a process dies before a commit: nothing has happened; after it: the next owner delivers the outbox again, in order.
 *   A second acquire of a claim that is known changes nothing, nor does a second release, nor a second grant;
 * - an acquire arrives after its release, late from a dead process and past every deduplication: the claim is served like
 *   any other, and the grant finds nobody. The holder gives back what it does not want: through its outbox, or, when it
 *   has finished or is unknown, the owner of its partition does so before it acknowledges the grant;
 * - the release overtakes the grant: the pool has let go of the claim; the grant, too late, is given back again;
 * - the deadline and the grant cross: whichever the holder takes first counts; if it is the deadline, see above;
 * - the holder cannot take a grant now (its workflow is unknown there, its record unreadable): that is a dead letter, and
 *   it keeps the permit, because its record still asks for it;
 * - the holder is paused, suspended or held: it keeps what it has, and the grant is parked like any event; its deadline is
 *   looked at when it goes on;
 * - the step that a grant makes throws: the holder is suspended and has the permit, as far as the pool knows. A retry takes
 *   the grant again. A skip drops it: the invocation waits on, and the permit goes back when it ends;
 * - the pool is held, with the whole namespace: acquires and releases are parked, and taken in order when it goes on;
 * - the pool cannot take an acquire: the owner of its partition tells the holder, whose invocation fails.
 *
 * So a permit may be thought held a moment too long, never given to two.
 *
 * This file is the pool's own arithmetic. Priorities are from 1, served first, to 5. Nobody is overtaken within a priority,
 * so one who asks for many permits is served in the end, too.
 */
import type { ActorPath, Address } from './address.ts'

/** The workflow whose instances are the pools. Nobody else may define, start or send to it. */
export const poolWorkflow = 'holdfast-pool'

/** The most permits that a pool can have. */
export const mostPermits = 1000

/** So many may wait. */
export const mostWaiting = 10_000

/** What those that hold and wait may take up in the record of the pool, in characters of their names. */
const mostNameLength = 512 * 1024

/** Priorities are whole numbers from 1, served first, to this. */
export const lastPriority = 5

/** What a machine is told when it has been given what it asked a pool for. Nobody can send it. */
export interface PoolGranted {
  readonly type: 'workflow.granted'
  /** Name of the pool. */
  readonly pool: string
}

/** What `pool()` attaches to the logic it makes. */
export interface PoolSpec {
  readonly name: string
  /** How many permits the pool has. */
  readonly permits: number
  /** What an input asks for. Throws when that cannot be. */
  readonly request: (input: unknown) => {
    readonly permits: number
    readonly priority: number
    readonly timeoutMs?: number
  }
}

/** Where the spec hangs on the logic. Registered globally, so that two copies of the package agree. */
export const poolSpecKey: unique symbol = Symbol.for('holdfast.pool') as never

/** The spec of logic made by `pool()`; undefined for any other logic. */
export function poolSpecOf(logic: unknown): PoolSpec | undefined {
  return (logic as { [poolSpecKey]?: PoolSpec } | undefined)?.[poolSpecKey]
}

/** An invocation that wants permits or has them. */
export interface PermitHolder {
  readonly address: Address
  readonly path: ActorPath
  readonly incarnation: number
}

/** How an invocation stands with its pool, as stored. */
export interface PermitRecord {
  readonly pool: string
  /** Until then it waits, at the longest until the deadline of the invocation. */
  readonly isHeld: boolean
  /**
   * Number of the claim of an activity, which begins its attempt once it has the permit. Absent: `pool()` stands for the
   * permits themselves, and the claim has the number of its incarnation.
   */
  readonly claim?: number | undefined
  /** When the activity has asked: milliseconds since the epoch. */
  readonly askedAt?: number | undefined
  /** Until when it waits: milliseconds since the epoch. Absent: as long as it takes, or the permit is held. */
  readonly dueAt?: number | undefined
}

/** Who wants or has how many permits. A list and not an object: there may be thousands of them in one record. */
export type Claim = readonly [
  workflow: string,
  id: string,
  path: ActorPath,
  incarnation: number,
  permits: number,
  priority: number,
]

/** The state of a pool, as stored. */
export interface Pool {
  /** How many permits there are. */
  readonly permits: number
  /** In the order they were served. */
  readonly held: readonly Claim[]
  /** In the order they will be served. */
  readonly waiting: readonly Claim[]
}

/** A pool, and what it has to tell by what happened. */
export interface PoolStep {
  readonly pool: Pool
  /** Those that have been given what they asked for. */
  readonly granted: readonly Claim[]
  /** Those that never will be, and why. */
  readonly refused: readonly { readonly claim: Claim; readonly reason: string }[]
}

/** Before any claim. */
export const emptyPool: Pool = Object.freeze({ permits: 0, held: [], waiting: [] })

export function claimOf(
  { address, path, incarnation }: PermitHolder,
  permits: number,
  priority: number,
): Claim {
  return [address.workflow, address.id, path, incarnation, permits, priority]
}

export function holderOf([workflow, id, path, incarnation]: Claim): PermitHolder {
  return { address: { workflow, id }, path, incarnation }
}

/**
 * Takes a claim. One that is known stays where it is.
 *
 * @param permits how many the pool has from now on, whatever it had before
 */
export function acquire(pool: Pool, claim: Claim, permits: number): PoolStep {
  const { held, waiting } = pool
  const resized = { permits, held, waiting }
  const isSame = isOf(holderOf(claim))
  if (held.some(isSame) || waiting.some(isSame)) return serve(resized)
  const reason = objectionTo(resized, claim)
  if (reason === undefined) return serve({ ...resized, waiting: queued(waiting, claim) })
  const { refused, ...step } = serve(resized)
  return { ...step, refused: [...refused, { claim, reason }] }
}

/** Forgets a claim, whether it holds permits or waits. */
export function release(pool: Pool, holder: PermitHolder): PoolStep {
  const isOther = (claim: Claim) => !isOf(holder)(claim)
  const { permits } = pool
  return serve({ permits, held: pool.held.filter(isOther), waiting: pool.waiting.filter(isOther) })
}

/** Serves those that wait, as far as permits are free. The first one is never overtaken. */
function serve(pool: Pool): PoolStep {
  const { permits, waiting } = pool
  const granted: Claim[] = []
  const refused: { claim: Claim; reason: string }[] = []
  let free = permits - pool.held.reduce((used, claim) => used + permitsOf(claim), 0)
  let next = 0
  for (; next < waiting.length; next++) {
    const claim = waiting[next]!
    const wanted = permitsOf(claim)
    if (wanted > permits) {
      // The pool has become smaller since.
      refused.push({ claim, reason: tooMany(wanted, permits) })
    } else if (wanted <= free) {
      free -= wanted
      granted.push(claim)
    } else {
      break
    }
  }
  const held = granted.length === 0 ? pool.held : [...pool.held, ...granted]
  return { pool: { permits, held, waiting: next === 0 ? waiting : waiting.slice(next) }, granted, refused }
}

function objectionTo({ permits, held, waiting }: Pool, claim: Claim): string | undefined {
  const wanted = permitsOf(claim)
  if (wanted > permits) return tooMany(wanted, permits)
  if (waiting.length >= mostWaiting) return `${waiting.length} wait already`
  let length = nameLength(claim)
  for (const claims of [held, waiting]) for (const one of claims) length += nameLength(one)
  if (length > mostNameLength)
    return `those that hold and wait would fill its record: ${waiting.length} wait already`
  return undefined
}

function tooMany(wanted: number, permits: number): string {
  return `${wanted} permits are asked for, and it has ${permits}`
}

/** Behind those of its priority, before those of the next. */
function queued(waiting: readonly Claim[], claim: Claim): readonly Claim[] {
  let at = waiting.length
  while (at > 0 && priorityOf(waiting[at - 1]!) > priorityOf(claim)) at--
  return waiting.toSpliced(at, 0, claim)
}

function isOf({ address, path, incarnation }: PermitHolder): (claim: Claim) => boolean {
  return claim =>
    claim[3] === incarnation && claim[1] === address.id && claim[0] === address.workflow && claim[2] === path
}

export function permitsOf(claim: Claim): number {
  return claim[4]
}

function priorityOf(claim: Claim): number {
  return claim[5]
}

function nameLength(claim: Claim): number {
  return claim[0].length + claim[1].length + claim[2].length
}
