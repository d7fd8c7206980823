import type { IncidentCause } from '../../actors/incident.ts'
import { instanceStatuses } from '../../actors/record.ts'
import type { InstanceRecord, OutboxEntry } from '../../actors/record.ts'
import { checkFields, flag, isObject, list, misshapen, moment, object, oneOf, optional } from './shape.ts'
import { text, textOf, whole } from './shape.ts'
import type { Field } from './shape.ts'

const malformed = 'RECORD_MALFORMED'

const recordShape: readonly Field[] = [
  textOf('workflow', 1, 256),
  textOf('id', 1, 256),
  whole('version', 0),
  oneOf('status', ...instanceStatuses),
  moment('createdAt'),
  moment('updatedAt'),
  text('inputDigest'),
  object('snapshot'),
  list('timers'),
  list('activities'),
  list('outbox'),
  whole('cursor', 0),
  list('recent'),
  object('sources'),
  optional(object('control')),
  optional(text('stopReason')),
  optional(object('cancellation')),
  optional(object('incident')),
  optional(object('parent')),
  whole('counter', 0),
]

const controlShape: readonly Field[] = [whole('cursor', 0), list('recent')]

const cancellationShape: readonly Field[] = [text('reason'), moment('deadline'), optional(flag('isParents'))]

const eventField: Field = {
  name: 'event',
  allowed: 'an object with a string type',
  matches: value => isObject(value) && typeof value['type'] === 'string',
}

const incidentShape: readonly Field[] = [
  moment('at'),
  text('code'),
  text('actor'),
  whole('tries', 0),
  optional(object('cause')),
]

const causeShape: readonly Field[] = [oneOf('type', 'envelope', 'report', 'self', 'timer')]

/** What a cause has besides, by its type. */
const causeShapes: Readonly<Record<IncidentCause['type'], readonly Field[]>> = {
  envelope: [object('envelope')],
  report: [object('report')],
  self: [text('path'), eventField],
  timer: [text('path'), eventField],
}

const snapshotShape: readonly Field[] = [
  oneOf('status', 'active', 'done', 'error', 'stopped'),
  optional(object('children')),
]

const childShape: readonly Field[] = [
  object('snapshot'),
  text('src'),
  optional(text('systemId')),
  optional(flag('syncSnapshot')),
]

const timerShape: readonly Field[] = [
  text('owner'),
  text('id'),
  text('target'),
  optional(object('to')),
  eventField,
  moment('dueAt'),
  whole('seq', 0),
]

const activityShape: readonly Field[] = [
  text('path'),
  text('src'),
  whole('incarnation', 0),
  whole('attempt', 1),
  moment('startedAt'),
  optional(moment('retryAt')),
  optional(whole('failures', 1)),
  optional(moment('deadlineAt')),
  optional(list('restarts')),
  optional(object('child')),
  optional(object('bulk')),
  optional(object('remote')),
  optional(object('permit')),
]

const bulkShape: readonly Field[] = [
  text('workflow'),
  whole('total', 0),
  whole('started', 0),
  whole('completed', 0),
  whole('failed', 0),
  list('running'),
  list('results'),
  whole('chunks', 0),
]

const remoteShape: readonly Field[] = [
  text('name'),
  oneOf('format', 'json', 'msgpack'),
  optional(moment('dueAt')),
  optional(whole('silenceMs', 1)),
  optional(flag('isBegun')),
]
const permitShape: readonly Field[] = [
  text('pool'),
  flag('isHeld'),
  optional(whole('claim', 0)),
  optional(moment('askedAt')),
  optional(moment('dueAt')),
]

const entryShape: readonly Field[] = [
  oneOf('type', 'post', 'emit', 'item', 'chunk', 'task', 'recall', 'action'),
  text('effectId'),
]

/** What an entry has besides, by its type. */
const entryShapes: Readonly<Record<OutboxEntry['type'], readonly Field[]>> = {
  post: [object('target'), object('message')],
  emit: [eventField],
  item: [text('path'), whole('index', 0)],
  task: [text('path'), whole('incarnation', 0), whole('attempt', 1)],
  recall: [text('activity'), whole('incarnation', 0), whole('attempt', 1)],
  chunk: [text('name'), list('results'), whole('sizeBytes', 0)],
  action: [eventField, text('owner'), text('action')],
}

/**
 * Answers the content unchanged if it is a record.
 *
 * @throws RuntimeError `RECORD_MALFORMED` naming the first field that is not as it must be
 */
export function checkRecord(content: unknown): InstanceRecord {
  const record = checkFields(malformed, '', content, recordShape)
  checkSnapshot('snapshot', record['snapshot'])
  if (record['control'] !== undefined) {
    const control = checkFields(malformed, 'control', record['control'], controlShape)
    checkTexts('control.recent', control['recent'])
  }
  if (record['cancellation'] !== undefined)
    checkFields(malformed, 'cancellation', record['cancellation'], cancellationShape)
  if (record['incident'] !== undefined) checkIncident(record['incident'])
  for (const [index, timer] of itemsOf(record, 'timers'))
    checkFields(malformed, `timers[${index}]`, timer, timerShape)
  for (const [index, activity] of itemsOf(record, 'activities')) {
    const { bulk, permit, remote } = checkFields(malformed, `activities[${index}]`, activity, activityShape)
    if (bulk !== undefined) checkFields(malformed, `activities[${index}].bulk`, bulk, bulkShape)
    if (permit !== undefined) checkFields(malformed, `activities[${index}].permit`, permit, permitShape)
    if (remote !== undefined) checkFields(malformed, `activities[${index}].remote`, remote, remoteShape)
  }
  for (const [index, item] of itemsOf(record, 'outbox')) {
    const entry = checkFields(malformed, `outbox[${index}]`, item, entryShape)
    checkFields(malformed, `outbox[${index}]`, entry, entryShapes[entry['type'] as OutboxEntry['type']])
  }
  checkTexts('recent', record['recent'])
  for (const [name, position] of Object.entries(record['sources'] as object)) {
    if (Number.isSafeInteger(position)) continue
    throw misshapen(malformed, `sources[${JSON.stringify(name)}]`, 'a whole number', position)
  }
  return content as InstanceRecord
}

function checkIncident(content: unknown): void {
  const { cause } = checkFields(malformed, 'incident', content, incidentShape)
  if (cause === undefined) return
  const { type } = checkFields(malformed, 'incident.cause', cause, causeShape)
  checkFields(malformed, 'incident.cause', cause, causeShapes[type as IncidentCause['type']])
}

/** @param content already known to be an array */
function checkTexts(path: string, content: unknown): void {
  for (const [index, item] of (content as unknown[]).entries()) {
    if (typeof item !== 'string') throw misshapen(malformed, `${path}[${index}]`, 'a string', item)
  }
}

function checkSnapshot(path: string, content: unknown): void {
  const snapshot = checkFields(malformed, path, content, snapshotShape)
  for (const [id, item] of Object.entries((snapshot['children'] ?? {}) as object)) {
    const childPath = `${path}.children[${JSON.stringify(id)}]`
    checkSnapshot(`${childPath}.snapshot`, checkFields(malformed, childPath, item, childShape)['snapshot'])
  }
}

/** The items of a field already known to be an array, with their indexes. */
function itemsOf(record: Readonly<Record<string, unknown>>, name: string): Iterable<[number, unknown]> {
  return (record[name] as unknown[]).entries()
}
