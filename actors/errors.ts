/** Every code an error of ours can carry. Codes are stable: programs match on them, never on messages. */
export type ErrorCode =
  | 'ABORTED'
  | 'ACTIVITY_FAILED'
  | 'ACTIVITY_LOST'
  | 'ACTIVITY_TIMEOUT'
  | 'CHILD_CANCELLED'
  | 'CONNECTION_FAILED'
  | 'DEAD_LETTER_NOT_FOUND'
  | 'DELIVERIES_EXCEEDED'
  | 'DEPENDENCY_MISSING'
  | 'DEPTH_EXCEEDED'
  | 'EDIT_INVALID'
  | 'ENVELOPE_MALFORMED'
  | 'EVENT_INVALID'
  | 'EVENT_RESERVED'
  | 'ID_INVALID'
  | 'INPUT_INVALID'
  | 'INSTANCE_EXISTS'
  | 'INSTANCE_FINISHED'
  | 'INSTANCE_NOT_BEGUN'
  | 'INSTANCE_NOT_FOUND'
  | 'INSTANCE_NOT_SUSPENDED'
  | 'INSTANCE_SUSPENDED'
  | 'JETSTREAM_DISABLED'
  | 'NAMESPACE_NOT_FOUND'
  | 'NODE_NAME_TAKEN'
  | 'OPTIONS_INVALID'
  | 'PARTITION_COUNT_MISMATCH'
  | 'PAYLOAD_TOO_LARGE'
  | 'PERMISSION_DENIED'
  | 'POOL_FULL'
  | 'POOL_TIMEOUT'
  | 'RECORD_FORMAT_UNSUPPORTED'
  | 'RECORD_MALFORMED'
  | 'RESTARTS_EXCEEDED'
  | 'REVISION_CONFLICT'
  | 'SERVER_NOT_FOUND'
  | 'SERVER_START_FAILED'
  | 'SERVER_UNSUPPORTED'
  | 'STEP_ENDLESS'
  | 'STEP_FAILED'
  | 'STORE_UNAVAILABLE'
  | 'TIMEOUT'
  | 'USAGE'
  | 'VALUE_MALFORMED'
  | 'VALUE_UNSUPPORTED'
  | 'WORKFLOW_FAILED'
  | 'WORKFLOW_INVALID'
  | 'WORKFLOW_UNKNOWN'

export interface RuntimeErrorOptions {
  /** The error that led to this one. */
  readonly cause?: unknown
  /** Structured facts about what happened: names, limits, values. Never secrets. */
  readonly fields?: Readonly<Record<string, unknown>>
  /** True when the same call may succeed later without any change. Default false. */
  readonly retryable?: boolean
}

/**
 * The one class of error Holdfast throws. `code` says what happened and is stable; `message` says it to a
 * person, together with what to do; `fields` says it to a program.
 */
export class RuntimeError extends Error {
  override readonly name = 'RuntimeError'
  readonly code: ErrorCode
  readonly fields: Readonly<Record<string, unknown>>
  readonly retryable: boolean

  constructor(code: ErrorCode, message: string, options: RuntimeErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.fields = options.fields ?? {}
    this.retryable = options.retryable ?? false
  }
}

/** True when `error` is a {@link RuntimeError}, with that code if one is given. */
export function isRuntimeError(error: unknown, code?: ErrorCode): error is RuntimeError {
  return error instanceof RuntimeError && (code === undefined || error.code === code)
}
