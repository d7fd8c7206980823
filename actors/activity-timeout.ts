import { RuntimeError } from './errors.ts'

/** Which limit an activity has met. */
export type ActivityTimeout = 'attempt' | 'heartbeat' | 'queue' | 'total'

/** What was supervised when the limit was met. */
interface Timed {
  /** Name of the activity. */
  readonly activity: string
  readonly attempt: number
  readonly limitMs: number
  /** The error of an earlier attempt. */
  readonly cause?: unknown
}

/**
 * Another attempt may cure it, unless all of them together have taken too long, or one has waited too long for a slot:
 * the next would only queue up behind those that wait already.
 */
export function activityTimeout(timeout: ActivityTimeout, { cause, ...timed }: Timed): RuntimeError {
  const error = new RuntimeError('ACTIVITY_TIMEOUT', messageOf(timeout, timed), {
    ...(cause !== undefined && { cause }),
    fields: { ...timed, timeout },
    retryable: timeout === 'attempt' || timeout === 'heartbeat',
  })
  // What says so of any error says so of this one: no retry policy brings it another attempt.
  return timeout === 'queue' ? Object.assign(error, { nonRetryable: true }) : error
}

function messageOf(timeout: ActivityTimeout, { activity, attempt, limitMs }: Timed): string {
  switch (timeout) {
    case 'attempt':
      return `attempt ${attempt} of activity '${activity}' took longer than ${limitMs} ms`
    case 'heartbeat':
      return `attempt ${attempt} of activity '${activity}' gave no heartbeat for ${limitMs} ms`
    case 'queue':
      return `attempt ${attempt} of activity '${activity}' waited longer than ${limitMs} ms for a slot`
    case 'total':
      return `activity '${activity}' took longer than ${limitMs} ms in all, the waits between its attempts included`
  }
}
