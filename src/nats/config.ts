/** What is true for a whole namespace: kept as JSON in its config bucket, small and rarely written. */
import { isRuntimeError, RuntimeError } from '../../actors/errors.ts'
import type { NatsConnection } from './connection.ts'
import { isRemoved, readEntry, readEntryNearby } from './entry.ts'
import { apiErrorOf, apiErrors, translate } from './errors.ts'
import { Headers } from './headers.ts'
import { scanStream } from './scan.ts'
import type { Subjects } from './subjects.ts'

/** Fixed when the namespace is created. */
export interface NamespaceSettings {
  readonly partitions: number
  /** The format of the records that the nodes of this namespace write. */
  readonly recordFormat: number
}

/** A workflow that some node of the namespace runs. */
export interface RegisteredWorkflow {
  readonly name: string
  readonly version: number
}

const settingsKey = 'namespace'

/**
 * The settings of the namespace; undefined when it does not exist.
 *
 * @param from `nearby` asks for less permission, `leader` is never stale
 * @throws RuntimeError `PERMISSION_DENIED`, `STORE_UNAVAILABLE`; `OPTIONS_INVALID` when they are not readable
 */
export async function readSettings(
  connection: NatsConnection,
  subjects: Subjects,
  from: 'leader' | 'nearby',
): Promise<NamespaceSettings | undefined> {
  const subject = subjects.setting(settingsKey)
  try {
    const read = from === 'nearby' ? readEntryNearby : readEntry
    const entry = await read(connection, subjects.configStream, subject)
    if (entry === undefined || isRemoved(entry.data.length)) return undefined
    return parseSettings(entry.data, subjects.namespace)
  } catch (error) {
    if (apiErrorOf(error) === apiErrors.streamNotFound) return undefined
    const translated = translate(error, {
      what: `read the settings of namespace '${subjects.namespace}'`,
      subject,
    })
    // Nobody has the bucket, or nobody has it now: only the leader can tell.
    if (from === 'nearby' && isRuntimeError(translated, 'STORE_UNAVAILABLE')) {
      return readSettings(connection, subjects, 'leader')
    }
    throw translated
  }
}

/**
 * Stores the settings unless there are some, and answers those there are.
 *
 * @throws as {@link readSettings}
 */
export async function claimSettings(
  connection: NatsConnection,
  subjects: Subjects,
  wanted: NamespaceSettings,
): Promise<NamespaceSettings> {
  const found = await readSettings(connection, subjects, 'leader')
  if (found !== undefined) return found
  const subject = subjects.setting(settingsKey)
  const headers = Headers.of({ 'Nats-Expected-Last-Subject-Sequence': '0' })
  try {
    await connection.publish(subject, encodeJson(wanted), { headers })
    return wanted
  } catch (error) {
    const translated = translate(error, { what: `create namespace '${subjects.namespace}'`, subject })
    // Another node was faster, or we were and did not hear of it: what is stored now holds for all.
    const stored = await readSettings(connection, subjects, 'leader')
    if (stored === undefined) throw translated
    return stored
  }
}

/**
 * Tells everyone that a workflow is run here, in this version.
 *
 * @throws RuntimeError `PERMISSION_DENIED`, `STORE_UNAVAILABLE`
 */
export async function registerWorkflow(
  connection: NatsConnection,
  subjects: Subjects,
  name: string,
  { version }: { readonly version: number },
): Promise<void> {
  const subject = subjects.settingOfWorkflow(name)
  try {
    await connection.publish(subject, encodeJson({ version }))
  } catch (error) {
    throw translate(error, { what: `register workflow '${name}'`, subject })
  }
}

/**
 * Whether some node has registered a workflow of that name, as far as the nearest server knows. Asks for less
 * permission than a list.
 *
 * @throws RuntimeError `ID_INVALID` when no workflow can have that name; `PERMISSION_DENIED`, `STORE_UNAVAILABLE`
 */
export async function isRegistered(
  connection: NatsConnection,
  subjects: Subjects,
  name: string,
  signal?: AbortSignal,
): Promise<boolean> {
  const subject = subjects.settingOfWorkflow(name)
  try {
    signal?.throwIfAborted()
    const entry = await readEntryNearby(connection, subjects.configStream, subject, signal)
    return entry !== undefined && !isRemoved(entry.data.length)
  } catch (error) {
    throw translate(error, { what: `look for workflow '${name}'`, subject })
  }
}

/**
 * The workflows registered, by name.
 *
 * @throws RuntimeError `NAMESPACE_NOT_FOUND`, `PERMISSION_DENIED`, `STORE_UNAVAILABLE`
 */
export async function listWorkflows(
  connection: NatsConnection,
  subjects: Subjects,
  signal?: AbortSignal,
): Promise<readonly RegisteredWorkflow[]> {
  const prefix = subjects.setting('workflow.')
  const found: RegisteredWorkflow[] = []
  const messages = scanStream(connection, subjects.configStream, {
    filters: [`${prefix}>`],
    headersOnly: false,
    signal,
  })
  for await (const { msg } of messages) {
    if (isRemoved(msg.data.length)) continue
    const { version } = decodeJson(msg.data) as { version?: unknown }
    if (typeof version === 'number') found.push({ name: msg.subject.slice(prefix.length), version })
  }
  return found.toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

function parseSettings(data: Uint8Array, namespace: string): NamespaceSettings {
  const { partitions, recordFormat } = decodeJson(data) as Partial<NamespaceSettings>
  if (Number.isSafeInteger(partitions) && partitions! > 0 && Number.isSafeInteger(recordFormat)) {
    return { partitions: partitions!, recordFormat: recordFormat! }
  }
  throw new RuntimeError(
    'OPTIONS_INVALID',
    `the settings stored for namespace '${namespace}' cannot be read; was its config bucket written by hand?`,
    { fields: { field: settingsKey, namespace } },
  )
}

function encodeJson(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}

/** The object in the bytes; an empty one when they hold no object. */
function decodeJson(data: Uint8Array): object {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(data))
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}
