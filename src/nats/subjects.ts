/**
 * Where everything of a namespace lives in NATS. Clients in any language follow this table (`ns` the namespace,
 * `k` the partition, `id` the escaped instance id):
 *
 * | what | stream | subject |
 * | --- | --- | --- |
 * | records | `KV_hf_<ns>_instances` | `$KV.hf_<ns>_instances.<k>.<workflow>.<id>` |
 * | scan marks | `KV_hf_<ns>_instances` | `$KV.hf_<ns>_instances.scan._.mark` |
 * | records, live | none: republished | `hf.<ns>.snap.<k>.<workflow>.<id>` |
 * | envelopes | `hf_<ns>_inbox` | `hf.<ns>.in.<k>.<workflow>.<id>` |
 * | parked envelopes | `hf_<ns>_parked` | `hf.<ns>.parked.<k>.<workflow>.<id>` |
 * | hints of cancels | none: not stored | `hf.<ns>.hint.<k>.<workflow>.<id>` |
 * | leases | `KV_hf_<ns>_leases` | `$KV.hf_<ns>_leases.partition.<k>` |
 * | heartbeats | `KV_hf_<ns>_leases` | `$KV.hf_<ns>_leases.node.<name>` |
 * | names of nodes | `KV_hf_<ns>_leases` | `$KV.hf_<ns>_leases.name.<name>` |
 * | questions to a node | none | `hf.<ns>.ask.<name>` |
 * | settings | `KV_hf_<ns>_config` | `$KV.hf_<ns>_config.<name>` |
 * | pauses | `KV_hf_<ns>_config` | `$KV.hf_<ns>_config.paused.namespace`, `….paused.workflow.<workflow>` |
 * | blobs | `KV_hf_<ns>_blobs` | `$KV.hf_<ns>_blobs.<workflow>.<id>.<name>` |
 * | emitted events | `hf_<ns>_events` | `hf.<ns>.events.<workflow>.<id>` |
 * | tasks | `hf_<ns>_tasks` | `hf.<ns>.task.<activity>.<k>.<workflow>.<id>.<incarnation>.<attempt>` |
 * | tasks not wanted any more, live | none | `hf.<ns>.stop.<activity>.<k>.<workflow>.<id>.<incarnation>.<attempt>` |
 * | heartbeats of workers, live | none | `hf.<ns>.beat.<activity>.<k>.<workflow>.<id>.<incarnation>.<attempt>.<path>` |
 * | dead letters | `hf_<ns>_dead` | `hf.<ns>.dead.<code>` |
 *
 * Escaping makes any UTF-8 one subject token: A-Z, a-z, 0-9, `_` and `-` stand for themselves, every other byte
 * is `=` and two upper-case hexadecimal digits. Each text has exactly one escaped form.
 */
import { RuntimeError } from '../../actors/errors.ts'
import type { Address } from '../../actors/address.ts'
import type { BlobKey, RecordFilter } from '../../actors/ports.ts'
import type { Beat, TaskName } from '../../actors/remote-activity.ts'
import { isName, nameForm } from '../workflow/address.ts'

const namespacePattern = /^[A-Za-z0-9_-]{1,32}$/

/** The names of one namespace. */
export interface Subjects {
  readonly namespace: string
  readonly blobStream: string
  readonly configStream: string
  readonly deadLetterStream: string
  readonly eventStream: string
  readonly inboxStream: string
  readonly leaseStream: string
  readonly parkedStream: string
  readonly recordStream: string
  readonly taskStream: string
  /** Bound to each stream. */
  readonly allBlobs: string
  readonly allDeadLetters: string
  readonly allEnvelopes: string
  readonly allEvents: string
  readonly allHeartbeats: string
  readonly allHints: string
  readonly allLeases: string
  readonly allParked: string
  readonly allPauses: string
  readonly allRecords: string
  readonly allSettings: string
  readonly allSnapshots: string
  readonly allTasks: string
  /** Where a worker says that it is at a task. */
  readonly beat: (partition: number, task: TaskName & Pick<Beat, 'path'>) => string
  /** Of all tasks of one partition. */
  readonly beats: (partition: number) => string
  readonly blob: (key: BlobKey) => string
  readonly deadLetter: (code: string) => string
  readonly envelope: (partition: number, address: Address) => string
  /** All envelopes of one partition. */
  readonly envelopes: (partition: number) => string
  readonly event: (address: Address) => string
  readonly heartbeat: (node: string) => string
  /** What nodes of one name that start at the same time write in turn. */
  readonly nameClaim: (node: string) => string
  readonly hint: (partition: number, address: Address) => string
  readonly lease: (partition: number) => string
  readonly parked: (partition: number, address: Address) => string
  /** Those of every instance of the partition. */
  readonly parkedOf: (partition: number) => string
  /** Of a workflow, or, without one, of the namespace. */
  readonly pause: (workflow?: string) => string
  /** Those of every partition. */
  readonly partitionLeases: string
  /** Where a live node of that name answers. */
  readonly presence: (node: string) => string
  /** Where a live node of that name answers questions about itself. */
  readonly question: (node: string) => string
  readonly record: (partition: number, address: Address) => string
  /** Where a scan leaves its mark: see NatsStore. No workflow can be called `_`. */
  readonly scanMark: string
  /** All records of one partition, or those a filter without an id lets through. */
  readonly records: (of: number | Pick<RecordFilter, 'workflow'>) => string
  readonly setting: (name: string) => string
  readonly settingOfWorkflow: (workflow: string) => string
  readonly snapshot: (partition: number, address: Address) => string
  /** Where workers hear that a task is no longer wanted. */
  readonly stop: (partition: number, task: TaskName) => string
  /** Of all tasks of an activity. */
  readonly stops: (activity: string) => string
  readonly task: (partition: number, task: TaskName) => string
  /** All tasks of an activity. */
  readonly tasks: (activity: string) => string
}

/**
 * The names of a namespace.
 *
 * @throws RuntimeError `OPTIONS_INVALID` when the namespace is not 1 to 32 of A-Z, a-z, 0-9, underscore and hyphen
 */
export function subjectsOf(namespace: string): Subjects {
  checkNamespace(namespace)
  const blobs = `$KV.hf_${namespace}_blobs`
  const records = `$KV.hf_${namespace}_instances`
  const leases = `$KV.hf_${namespace}_leases`
  const settings = `$KV.hf_${namespace}_config`
  const root = `hf.${namespace}`
  return Object.freeze<Subjects>({
    namespace,
    blobStream: `KV_hf_${namespace}_blobs`,
    configStream: `KV_hf_${namespace}_config`,
    deadLetterStream: `hf_${namespace}_dead`,
    eventStream: `hf_${namespace}_events`,
    inboxStream: `hf_${namespace}_inbox`,
    leaseStream: `KV_hf_${namespace}_leases`,
    parkedStream: `hf_${namespace}_parked`,
    recordStream: `KV_hf_${namespace}_instances`,
    taskStream: `hf_${namespace}_tasks`,
    allBlobs: `${blobs}.>`,
    allDeadLetters: `${root}.dead.>`,
    allEnvelopes: `${root}.in.>`,
    allEvents: `${root}.events.>`,
    allHeartbeats: `${leases}.node.*`,
    allHints: `${root}.hint.>`,
    allLeases: `${leases}.>`,
    allParked: `${root}.parked.>`,
    allPauses: `${settings}.paused.>`,
    allRecords: `${records}.>`,
    allSettings: `${settings}.>`,
    allSnapshots: `${root}.snap.>`,
    allTasks: `${root}.task.>`,
    beat: (partition, task) => `${root}.beat.${taskTail(partition, task)}.${escapeToken(task.path)}`,
    beats: partition => `${root}.beat.*.${partition}.>`,
    blob: ({ name, owner }) => `${blobs}.${addressToken(owner)}.${escapeToken(name)}`,
    deadLetter: code => `${root}.dead.${escapeToken(code)}`,
    envelope: (partition, address) => `${root}.in.${keyOf(partition, address)}`,
    envelopes: partition => `${root}.in.${partition}.>`,
    event: address => `${root}.events.${addressToken(address)}`,
    hint: (partition, address) => `${root}.hint.${keyOf(partition, address)}`,
    heartbeat: node => `${leases}.node.${escapeToken(node)}`,
    nameClaim: node => `${leases}.name.${escapeToken(node)}`,
    lease: partition => `${leases}.partition.${partition}`,
    parked: (partition, address) => `${root}.parked.${keyOf(partition, address)}`,
    parkedOf: partition => `${root}.parked.${partition}.>`,
    pause: workflow =>
      workflow === undefined
        ? `${settings}.paused.namespace`
        : `${settings}.paused.workflow.${checkName(workflow)}`,
    partitionLeases: `${leases}.partition.*`,
    presence: node => `${root}.node.${escapeToken(node)}`,
    question: node => `${root}.ask.${escapeToken(node)}`,
    record: (partition, address) => `${records}.${keyOf(partition, address)}`,
    records: of => {
      if (typeof of === 'number') return `${records}.${of}.>`
      return of.workflow === undefined ? `${records}.>` : `${records}.*.${checkName(of.workflow)}.>`
    },
    scanMark: `${records}.scan._.mark`,
    setting: name => `${settings}.${name}`,
    settingOfWorkflow: workflow => `${settings}.workflow.${checkName(workflow)}`,
    snapshot: (partition, address) => `${root}.snap.${keyOf(partition, address)}`,
    stop: (partition, task) => `${root}.stop.${taskTail(partition, task)}`,
    stops: activity => `${root}.stop.${checkName(activity, 'activity')}.>`,
    task: (partition, task) => `${root}.task.${taskTail(partition, task)}`,
    tasks: activity => `${root}.task.${checkName(activity, 'activity')}.>`,
  })
}

/**
 * The key of a record in its bucket, and the tail of every subject that concerns one instance.
 *
 * @throws RuntimeError `ID_INVALID`
 */
export function keyOf(partition: number, address: Address): string {
  return `${partition}.${addressToken(address)}`
}

function addressToken({ workflow, id }: Address): string {
  return `${checkName(workflow)}.${escapeToken(id)}`
}

function taskTail(partition: number, { activity, attempt, incarnation, instance }: TaskName): string {
  return `${checkName(activity, 'activity')}.${keyOf(partition, instance)}.${incarnation}.${attempt}`
}

/** Names need no escaping, so a name that is none must not get through. */
function checkName(name: string, field: 'activity' | 'workflow' = 'workflow'): string {
  if (isName(name)) return name
  throw new RuntimeError('ID_INVALID', `the name of a workflow or activity is ${nameForm}; got '${name}'`, {
    fields: { field, value: name },
  })
}

/** Reads the subject of a task, or of one that is no longer wanted; undefined when it is none. */
export function parseTaskName(subject: string): TaskName | undefined {
  const tokens = subject.split('.')
  const [incarnation, attempt] = tokens.slice(-2).map(Number)
  const [activity = ''] = tokens.slice(-6)
  const key = parseKey(tokens.slice(0, -2).join('.'))
  const isWhole = Number.isSafeInteger(incarnation) && Number.isSafeInteger(attempt)
  if (key === undefined || !isWhole || !isName(activity)) return undefined
  return { activity, instance: key.address, incarnation: incarnation!, attempt: attempt! }
}

/** Reads the subject of a heartbeat; undefined when it is none. */
export function parseBeat(subject: string): (TaskName & Pick<Beat, 'path'>) | undefined {
  const end = subject.lastIndexOf('.')
  const task = parseTaskName(subject.slice(0, end))
  const path = unescapeToken(subject.slice(end + 1))
  return task === undefined || path === undefined ? undefined : { ...task, path }
}

/** Reads a key, or any subject that ends in one; undefined when it is none. */
export function parseKey(
  subject: string,
): { readonly address: Address; readonly partition: number } | undefined {
  const [partitionText = '', workflow = '', token = ''] = subject.split('.').slice(-3)
  const partition = Number(partitionText)
  if (!/^\d{1,5}$/.test(partitionText) || !isName(workflow)) return undefined
  const id = unescapeToken(token)
  return id === undefined ? undefined : { address: { workflow, id }, partition }
}

/**
 * One subject token that stands for `text` and nothing else.
 *
 * @throws RuntimeError `ID_INVALID` when the text is empty or has no UTF-8 form
 */
export function escapeToken(text: string): string {
  if (/^[A-Za-z0-9_-]+$/.test(text)) return text
  if (text === '' || /\p{Surrogate}/u.test(text)) {
    throw new RuntimeError('ID_INVALID', 'what becomes part of a subject must be well-formed and not empty', {
      fields: { value: text },
    })
  }
  return text.replace(/[^A-Za-z0-9_-]+/g, run => {
    let escaped = ''
    for (const byte of Buffer.from(run)) escaped += `=${byte.toString(16).toUpperCase().padStart(2, '0')}`
    return escaped
  })
}

/** The text a token stands for; undefined when it is not exactly what {@link escapeToken} makes. */
export function unescapeToken(token: string): string | undefined {
  if (/^[A-Za-z0-9_-]+$/.test(token)) return token
  if (!/^(?:[A-Za-z0-9_-]|=[0-9A-F]{2})+$/.test(token)) return undefined
  const bytes = Buffer.from(
    token.replace(/=(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  )
  const text = bytes.toString()
  // Bytes that are not UTF-8, and letters written as bytes, do not come out the way they went in.
  return escapeToken(text) === token ? text : undefined
}

function checkNamespace(namespace: unknown): void {
  if (typeof namespace === 'string' && namespacePattern.test(namespace)) return
  throw new RuntimeError(
    'OPTIONS_INVALID',
    'a namespace must be 1 to 32 of A-Z, a-z, 0-9, underscore and hyphen; ' +
      `got ${typeof namespace === 'string' ? `'${namespace}'` : typeof namespace}`,
    { fields: { field: 'namespace', value: namespace } },
  )
}
