import type { InstanceRecord } from '../../actors/record.ts'
import {
  everyEvents,
  everyMs,
  isAct,
  isChosen,
  isMark,
  isWork,
  type DiaryContext,
  type DiaryName,
} from '../support/diaries.ts'
import type { Doings, History } from './mortal-node.ts'

/** See `actors/persistence.ts`. */
export const maxHoldMs = 1000
/** What a hold may seem shorter by, for milliseconds are whole. */
const roundingMs = 2

/** Nothing, or the record with what it says of the diary. */
export interface Page {
  readonly record: InstanceRecord
  readonly context: DiaryContext
}

export function pageOf(history: History, key: string): Page | undefined {
  const record = history.get(key)?.at(-1)
  return record && { record, context: contextOf(record) }
}

function contextOf({ snapshot }: InstanceRecord): DiaryContext {
  return snapshot.context as unknown as DiaryContext
}

/** Whether the record still asks for the action of that event. */
function owesAct({ record }: Page, n: number): boolean {
  return record.outbox.some(entry => entry.type === 'action' && (entry.params as { n: number }).n === n)
}

/** What a process has done that it must not, given the record that it found and the one that it left. */
export function wrongsOf(
  name: DiaryName,
  did: Doings,
  found: Page | undefined,
  left: Page | undefined,
): string[] {
  const seenBefore = found?.context.seen ?? []
  const seen = new Set(left?.context.seen)
  const wrongs: string[] = []
  const say = (what: string, numbers: readonly number[]) => {
    if (numbers.length > 0) wrongs.push(`${what}: ${numbers.join(', ')}`)
  }
  say(
    'stepped again, or out of order',
    did.steps.filter((n, index) => n < seenBefore.length || n !== did.steps[0]! + index),
  )
  say(
    'worked again on what is done',
    did.works.filter((n, index) => found?.context.done.includes(n) === true || did.works.indexOf(n) < index),
  )
  if (name !== 'rest')
    say(
      'worked before the commit',
      did.works.filter(n => !seen.has(n)),
    )
  say(
    'acted before the commit',
    did.acts.filter(n => !seen.has(n)),
  )
  say(
    'acted again',
    did.acts.filter(
      (n, index) => did.acts.indexOf(n) < index || (seenBefore.includes(n) && !owesAct(found!, n)),
    ),
  )
  // Nothing is taken before what was taken last is stored.
  const unstored = did.steps.filter(n => !seen.has(n))
  if (name === 'transition' && unstored.length > 1) say('lost more than one step', unstored)
  return wrongs
}

/** What is wrong with two revisions, one after the other. */
export function wrongRevision(
  name: DiaryName,
  before: InstanceRecord,
  after: InstanceRecord,
): string | undefined {
  const [from, to] = [contextOf(before), contextOf(after)]
  const added = to.seen.slice(from.seen.length)
  const things = added.length + to.done.length - from.done.length
  const isOver = after.status !== 'running'
  if (things < 1 && !isOver) return isRestart(before, after) ? undefined : 'adds nothing'
  const heldMs = after.updatedAt - before.updatedAt + roundingMs
  switch (name) {
    case 'transition':
      return things > 1 ? `adds ${things} things` : undefined
    case 'rest':
      return after.activities.length > 0 && heldMs < maxHoldMs ? 'is not at rest' : undefined
    case 'every': {
      const isAsking = added.some(n => isWork(n) || isAct(n)) || to.done.length > from.done.length
      const isDue = isOver || isAsking || heldMs >= everyMs || things >= everyEvents
      return isDue ? undefined : `comes after ${things} things and ${heldMs} ms`
    }
    case 'chosen':
      return passedOver(added, n => isChosen({ context: { ...to, seen: to.seen.slice(0, n + 1) } }))
    case 'tagged':
      return passedOver(added, isMark)
    case 'turn':
    case 'none':
      return undefined
  }
}

/** Of those events only the last may be one that has a revision of its own. */
function passedOver(added: readonly number[], hasOwn: (n: number) => boolean): string | undefined {
  const passed = added.slice(0, -1).filter(hasOwn)
  return passed.length > 0 ? `passes over ${passed.join(', ')}` : undefined
}

/** What the listener of that id has been told. */
export function heardBy(history: History, id: string): readonly number[] {
  const record = history.get(`listener/${id}`)?.at(-1)
  return record === undefined ? [] : (record.snapshot.context as unknown as { heard: number[] }).heard
}

/** Whether the later revision says that what ran runs again: it is stored before it does. */
function isRestart(before: InstanceRecord, after: InstanceRecord): boolean {
  return after.activities.some(({ path, incarnation, attempt }) =>
    before.activities.some(
      earlier => earlier.path === path && earlier.incarnation === incarnation && earlier.attempt < attempt,
    ),
  )
}
