import type { ErrorCode } from '../../actors/errors.ts'

/** What a process answers when nothing went wrong, and when something nobody foresaw did. */
export const exitOk = 0
export const exitUnexpected = 1

/** What each exit code means, for `--help`. */
export const exitMeanings: Readonly<Record<number, string>> = Object.freeze({
  0: 'done',
  1: 'an error nobody foresaw',
  2: 'the command was not understood, or an option is out of range',
  3: 'the input, the event or an id was refused',
  4: 'there is no such instance, dead letter, workflow or namespace',
  5: 'in conflict with what is there: it exists, has finished, or runs elsewhere',
  6: 'the workflow failed',
  7: 'not within the time given',
  8: 'no nats-server, no connection, or it cannot do what is needed',
  9: 'what is stored cannot be read by this version',
  10: 'a workflow definition is invalid',
  130: 'interrupted',
})

/** The one table from what went wrong to what the process answers. */
export const exitCodes: Readonly<Record<ErrorCode, number>> = Object.freeze({
  ABORTED: 130,
  ACTIVITY_FAILED: 6,
  ACTIVITY_TIMEOUT: 6,
  CHILD_CANCELLED: 6,
  CONNECTION_FAILED: 8,
  DEAD_LETTER_NOT_FOUND: 4,
  DEPENDENCY_MISSING: 8,
  DEPTH_EXCEEDED: 6,
  EDIT_INVALID: 3,
  ENVELOPE_MALFORMED: 9,
  EVENT_INVALID: 3,
  EVENT_RESERVED: 3,
  ID_INVALID: 3,
  INPUT_INVALID: 3,
  INSTANCE_EXISTS: 5,
  INSTANCE_FINISHED: 5,
  INSTANCE_NOT_BEGUN: 5,
  INSTANCE_NOT_FOUND: 4,
  INSTANCE_NOT_SUSPENDED: 5,
  INSTANCE_SUSPENDED: 5,
  JETSTREAM_DISABLED: 8,
  NAMESPACE_NOT_FOUND: 4,
  NODE_NAME_TAKEN: 5,
  OPTIONS_INVALID: 2,
  PARTITION_COUNT_MISMATCH: 5,
  PAYLOAD_TOO_LARGE: 3,
  PERMISSION_DENIED: 8,
  RECORD_FORMAT_UNSUPPORTED: 9,
  RECORD_MALFORMED: 9,
  RESTARTS_EXCEEDED: 6,
  REVISION_CONFLICT: 5,
  SERVER_NOT_FOUND: 8,
  SERVER_START_FAILED: 8,
  SERVER_UNSUPPORTED: 8,
  STEP_ENDLESS: 6,
  STEP_FAILED: 6,
  STORE_UNAVAILABLE: 8,
  TIMEOUT: 7,
  USAGE: 2,
  VALUE_MALFORMED: 9,
  VALUE_UNSUPPORTED: 3,
  WORKFLOW_FAILED: 6,
  WORKFLOW_INVALID: 10,
  WORKFLOW_UNKNOWN: 4,
})
