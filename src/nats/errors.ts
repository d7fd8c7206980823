import { NatsError } from 'nats'
import { isRuntimeError, RuntimeError } from '../../actors/errors.ts'

/** What was being done when an error of NATS came, for the message and the fields of ours. */
export interface Attempted {
  /** As it reads after "cannot": `commit order/o-1`. */
  readonly what: string
  readonly subject: string
}

/** The numbers JetStream gives its errors, as far as they mean something to us. */
export const apiErrors = Object.freeze({
  accountDisabled: 10039,
  batchesDisabled: 10174,
  consumerNotFound: 10014,
  deleteFailed: 10057,
  disabled: 10076,
  duplicateInProcess: 10158,
  messageNotFound: 10037,
  messageTooLarge: 10054,
  replicasUnavailable: 10074,
  noSuitablePeers: 10005,
  sequenceNotFound: 10043,
  streamNameInUse: 10058,
  streamNotFound: 10059,
  subjectsOverlap: 10065,
  wrongLastSequence: 10071,
  /** The same, while another write to the subject is still being agreed on. */
  wrongLastSequencePending: 10164,
})

/** The number JetStream gave the error; undefined when it is not JetStream's. */
export function apiErrorOf(error: unknown): number | undefined {
  return error instanceof NatsError ? error.api_error?.err_code : undefined
}

/** True when a write was refused because it was not at the expected revision. */
export function isConflict(error: unknown): boolean {
  return isConflictNumber(apiErrorOf(error))
}

function isConflictNumber(number: number | undefined): boolean {
  return number === apiErrors.wrongLastSequence || number === apiErrors.wrongLastSequencePending
}

const unreachable: ReadonlySet<string> = new Set([
  '408',
  '503',
  'CANCELLED',
  'CONNECTION_REFUSED',
  'CONNECTION_TIMEOUT',
  'DISCONNECT',
  'SUB_CLOSED',
  'TIMEOUT',
])
const closed: ReadonlySet<string> = new Set(['CONNECTION_CLOSED', 'CONNECTION_DRAINING'])

/**
 * What an error of NATS means to us. Errors that are ours already, and reasons of aborted signals, pass through:
 * only what the client library throws is translated.
 */
export function translate(error: unknown, attempted: Attempted): Error {
  if (isRuntimeError(error)) return error
  if (!(error instanceof NatsError)) return error instanceof Error ? error : new Error(String(error))
  const fields = { subject: attempted.subject, natsCode: error.api_error?.err_code ?? error.code }
  const as = (
    code: ConstructorParameters<typeof RuntimeError>[0],
    reason: string,
    retryable: boolean,
  ): RuntimeError =>
    new RuntimeError(code, `cannot ${attempted.what}: ${reason}`, { cause: error, fields, retryable })

  if (error.code === 'PERMISSIONS_VIOLATION') return permissionDenied(error, attempted)
  if (error.code === 'AUTHORIZATION_VIOLATION') return as('PERMISSION_DENIED', error.message, false)
  if (error.code === 'MAX_PAYLOAD_EXCEEDED') {
    return as('PAYLOAD_TOO_LARGE', 'it is larger than the server takes', false)
  }
  if (closed.has(error.code)) return as('STORE_UNAVAILABLE', 'the connection to NATS is closed', false)
  const number = error.api_error?.err_code
  if (isConflictNumber(number)) return as('REVISION_CONFLICT', 'another write came first', false)
  if (number === apiErrors.messageTooLarge) {
    return as('PAYLOAD_TOO_LARGE', 'it is larger than the stream takes', false)
  }
  if (number === apiErrors.accountDisabled || number === apiErrors.disabled) {
    return as('JETSTREAM_DISABLED', `${error.message}; enable JetStream for this account`, false)
  }
  if (number === apiErrors.streamNotFound) {
    const reason = 'its stream does not exist; start a node of this namespace, which creates it'
    return as('NAMESPACE_NOT_FOUND', reason, false)
  }
  if (unreachable.has(error.code)) {
    return as('STORE_UNAVAILABLE', `NATS did not answer (${error.code.toLowerCase()})`, true)
  }
  // The 5xx of JetStream are about the moment: no leader, no space, not enough peers. So is the same message under way.
  const isMomentary = (error.api_error?.code ?? 0) >= 500 || number === apiErrors.duplicateInProcess
  return as('STORE_UNAVAILABLE', error.message, isMomentary)
}

function permissionDenied(error: NatsError, attempted: Attempted): RuntimeError {
  const operation = error.permissionContext?.operation === 'subscription' ? 'subscribe to' : 'publish to'
  const subject = error.permissionContext?.subject ?? attempted.subject
  return new RuntimeError(
    'PERMISSION_DENIED',
    `cannot ${attempted.what}: this user may not ${operation} '${subject}'; grant it in the server's configuration`,
    { cause: error, fields: { operation, subject } },
  )
}
