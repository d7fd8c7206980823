import { RuntimeError } from './errors.ts'

/** An event as machines know it. */
export interface EventObject {
  readonly type: string
  readonly [key: string]: unknown
}

/**
 * Answers the event unchanged if it may be sent from outside: an object with a non-empty string `type` that
 * neither XState nor the runtime keeps for itself.
 *
 * @throws RuntimeError `EVENT_INVALID` when it is no event; `EVENT_RESERVED` when its type starts with
 * `xstate.`, which would forge completions and timers, or `workflow.`, which is for what the runtime tells machines, or
 * is `*`, which would match as a wildcard
 */
export function checkEvent(event: unknown): EventObject {
  if (typeof event !== 'object' || event === null || Array.isArray(event)) {
    throw invalid('event', 'an object', event)
  }
  const { type } = event as { type?: unknown }
  if (typeof type !== 'string' || type === '') throw invalid('event.type', 'a non-empty string', type)
  if (type === '*' || type.startsWith('xstate.') || type.startsWith('workflow.')) {
    const allowed = "anything but '*' and names that start with 'xstate.' or 'workflow.'"
    throw new RuntimeError('EVENT_RESERVED', `event type '${type}' is reserved: use ${allowed}`, {
      fields: { allowed, field: 'event.type', type },
    })
  }
  return event as EventObject
}

function invalid(field: string, allowed: string, value: unknown): RuntimeError {
  const got = value === null ? 'null' : value === '' ? 'an empty one' : `a value of type ${typeof value}`
  return new RuntimeError('EVENT_INVALID', `${field} must be ${allowed}; got ${got}`, {
    fields: { allowed, field },
  })
}
