import type { Fleet, LedgerEvent } from './ledger.ts'
import { fails } from './outside.ts'

/** What the world outside has seen of an event. */
export interface Traces {
  /** How often the custom action has run. */
  actions(tag: string): number
  /** Under how many ids an event was emitted. */
  emitted(tag: string): number
  /** The entries that somebody has dropped. */
  readonly skipped: ReadonlySet<string>
  /** By who has told the instance something: the tags, in order. */
  readonly told: ReadonlyMap<string, readonly string[]>
}

/**
 * Goes through the log of an instance at rest: everything sent is in it once, in the order of its sender, and everything
 * that follows from it too.
 *
 * @param isFinal whether it was closed, so that what was sent later is not in it
 * @returns what is wrong
 */
export function checkLog(
  log: readonly string[],
  sent: readonly LedgerEvent[],
  isFinal: boolean,
  traces: Traces,
): string | undefined {
  const events = new Map(sent.map(event => [event.tag, event]))
  const queues = {
    CHORE: [] as string[],
    ERRAND: [] as string[],
    FLEET: [] as string[],
    JOB: [] as string[],
    ORDER: [] as string[],
    PERMIT: [] as string[],
  }
  const told: string[] = []
  const timers = new Map<string, string>()
  const acts = new Map<string, number>()
  const granted = new Set<string>()
  const received: string[] = []
  for (const entry of log) {
    const [what, tag = ''] = entry.split(' ') as [string, string?]
    const event = events.get(entry)
    if (event !== undefined) {
      received.push(entry)
      if (event.type === 'TIMER') timers.set(event.id, event.tag)
      else if (event.type === 'CANCEL') timers.delete(event.id)
      else if (event.type in queues) queues[event.type as keyof typeof queues].push(event.tag)
      else if (event.type === 'ACT') acts.set(event.tag, 0)
      const ids = traces.emitted(event.tag)
      const emits = event.type === 'EMIT' || event.type === 'CLOSE'
      if (ids !== (emits ? 1 : 0)) return `${event.tag} was emitted under ${ids} ids`
    } else if (what === 'rang') {
      const timer = events.get(tag)
      if (timer?.type !== 'TIMER' || timers.get(timer.id) !== tag) return `${entry}, which was not set`
      timers.delete(timer.id)
    } else if (what === 'did' || what === 'failed' || what === 'dropped') {
      if (queues.JOB.shift() !== tag) return `${entry}, which was not the next job`
    } else if (what === 'brought') {
      if (queues.ERRAND.shift() !== tag) return `${entry}, which was not the next errand`
    } else if (what === 'finished' || what === 'spoilt' || what === 'revoked') {
      if (queues.CHORE.shift() !== tag) return `${entry}, which was not the next chore`
    } else if (what === 'gathered' || what === 'sunk' || what === 'scattered') {
      const fleet = events.get(tag)
      const possible = fleet?.type === 'FLEET' ? endsOf(fleet) : []
      if (queues.FLEET.shift() !== tag || !possible.includes(entry)) {
        return `${entry} in place of ${possible.join(' or ')}`
      }
    } else if (what === 'supplied' || what === 'unsupplied' || what === 'withdrawn') {
      if (queues.ORDER.shift() !== tag) return `${entry}, which was not the next order`
    } else if (what === 'granted') {
      if (queues.PERMIT[0] !== tag || granted.has(tag)) return `${entry}, which nobody waits for`
      granted.add(tag)
    } else if (what === 'returned' || what === 'expired' || what === 'renounced') {
      const isPossible = what === 'renounced' || granted.has(tag) === (what === 'returned')
      if (queues.PERMIT.shift() !== tag || !isPossible) return `${entry}, which was not the next permission`
    } else if (what === 'told') {
      told.push(tag)
    } else if (what === 'heard') {
      acts.set(tag, (acts.get(tag) ?? 0) + 1)
    } else if (what !== 'opened') {
      return `${entry}, which nobody has sent`
    }
  }
  const { skipped } = traces
  const wanted = sent.filter(({ tag }) => !skipped.has(tag))
  const wrong = checkSenders(received, wanted, isFinal) ?? checkTold(told, traces, isFinal)
  if (wrong !== undefined || isFinal) return wrong
  for (const [tag, heard] of acts) {
    const isWanted = !skipped.has(`heard ${tag}`)
    if ((heard === 0 && isWanted) || heard > traces.actions(tag)) {
      return `${tag} was heard ${heard} times, its action ran ${traces.actions(tag)} times`
    }
  }
  const ringing = [...timers.values()].filter(tag => !skipped.has(`rang ${tag}`))
  const open = [...ringing, ...Object.values(queues).flat()]
  return open.length > 0 ? `nothing has come of ${open.join(', ')}` : undefined
}

/** What may become of a fleet. */
function endsOf({ isStrict, jobs, patienceMs, tag }: Fleet): readonly string[] {
  const failed = jobs.filter(fails).length
  const isEndless = jobs.some(job => !(job.isRefused ?? false) && job.durationMs === Number.POSITIVE_INFINITY)
  const ends: string[] = []
  if (isStrict && failed > 0) ends.push(`sunk ${tag}`)
  else if (!isEndless) ends.push(`gathered ${tag} ${jobs.length - failed} ${failed}`)
  if (patienceMs < Number.POSITIVE_INFINITY) ends.push(`scattered ${tag}`)
  return ends
}

function checkSenders(
  received: readonly string[],
  sent: readonly LedgerEvent[],
  isFinal: boolean,
): string | undefined {
  const bySender = new Map<string, string[]>()
  for (const { tag } of sent) {
    const sender = senderOf(tag)
    bySender.set(sender, [...(bySender.get(sender) ?? []), tag])
  }
  for (const [sender, expected] of bySender) {
    const found = received.filter(tag => senderOf(tag) === sender)
    const wanted = isFinal ? expected.slice(0, found.length) : expected
    if (found.join() !== wanted.join())
      return `${sender} has sent ${expected.join()} and ${found.join()} came`
  }
  return undefined
}

function checkTold(
  told: readonly string[],
  { skipped, told: expected }: Traces,
  isFinal: boolean,
): string | undefined {
  for (const [teller, all] of expected) {
    const tags = all.filter(tag => !skipped.has(`told ${tag}`))
    const found = told.filter(tag => tags.includes(tag))
    const wanted = isFinal ? tags.slice(0, found.length) : tags
    if (found.join() !== wanted.join()) return `${teller} has told ${tags.join()} and ${found.join()} came`
  }
  const unknown = told.find(tag => ![...expected.values()].some(tags => tags.includes(tag)))
  return unknown === undefined ? undefined : `told ${unknown}, which nobody has said`
}

function senderOf(tag: string): string {
  return tag.slice(0, tag.indexOf('.'))
}
