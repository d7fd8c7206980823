/**
 * What has suspended an instance.
 *
 * An error thrown while a machine steps is a bug of the workflow, not an outcome: the step is undone, and what made it
 * is kept in the record, here, together with the error. The instance is `suspended`: as if paused, it takes nothing but
 * control envelopes, and what it is sent meanwhile is parked. Somebody then has the step made again (`retry`), drops what
 * made it (`skip`), ends the instance (`fail`), or corrects its state first (`edit`).
 *
 * What its supervisor gives up when the instance goes on, as its time was up meanwhile, is told in a step of its own, after
 * that: if it throws, that is another incident.
 *
 * A step that throws is undone by doing its turn again from the stored record, with "suspend" in place of what threw. So
 * what came before it in the turn is applied, and what comes after it waits. If the process dies
 *
 * - before the suspended record is stored: nothing has happened; whatever threw comes again, and throws again;
 * - after that, before the envelope is acknowledged: it comes again and is known, as the record counts it as applied;
 * - before a retry, skip, fail or edit is stored: that envelope comes again from the inbox;
 * - after that: it is known, and the instance goes on as anything that was resumed does.
 */
import type { ActivityReport } from './activity-report.ts'
import type { ActorPath } from './address.ts'
import type { EditEnvelope, Envelope } from './envelope.ts'
import { RuntimeError } from './errors.ts'
import type { EventObject } from './event.ts'

/**
 * `STEP_FAILED`: a guard, an action, or another function of the machine threw. `STEP_ENDLESS`: it did not come to rest.
 * `RESTARTS_EXCEEDED`: an activity was begun again too often.
 */
export type IncidentCode = 'RESTARTS_EXCEEDED' | 'STEP_ENDLESS' | 'STEP_FAILED'

/** What is kept, to be stepped again. */
export type IncidentCause =
  | { readonly type: 'envelope'; readonly envelope: Exclude<Envelope, EditEnvelope> }
  | { readonly type: 'report'; readonly report: ActivityReport }
  /** What an action of the instance has sent to the instance itself. */
  | { readonly type: 'self'; readonly path: ActorPath; readonly event: EventObject }
  | {
      readonly type: 'timer'
      readonly path: ActorPath
      readonly event: EventObject
      readonly dueAt: number
      /** Of the timer. */
      readonly seq: number
    }

export interface Incident {
  /** When it last happened: milliseconds since the epoch. */
  readonly at: number
  readonly code: IncidentCode
  /** The actor inside the instance in which it happened; empty for its root. */
  readonly actor: ActorPath
  /** What was thrown, as plain data: name, message, code, stack. */
  readonly error: unknown
  /** How often the step has been tried. */
  readonly tries: number
  /** Absent when there is no step to be made again: to retry is then to go on. */
  readonly cause?: IncidentCause | undefined
}

/** A step has thrown. Its draft is half changed: it must be thrown away. */
export class StepFailure extends Error {
  readonly incident: Incident

  constructor(incident: Incident) {
    super('the step has thrown', { cause: incident.error })
    this.incident = incident
  }
}

/** The error of an instance that somebody has ended because of an incident. */
export function failureOf({ error }: Incident, reason: string | undefined): unknown {
  return reason === undefined ? error : new RuntimeError('WORKFLOW_FAILED', reason, { cause: error })
}

/** The type of the event that an incident is about; undefined when it is about none. */
export function eventTypeOf({ cause }: Incident): string | undefined {
  switch (cause?.type) {
    case undefined:
      return undefined
    case 'self':
    case 'timer':
      return cause.event.type
    case 'envelope':
      return typeOfEnvelope(cause.envelope)
    case 'report':
      return typeOfReport(cause.report)
  }
}

/** The invocation whose end an incident keeps; undefined when it keeps none. */
export function endedIn({
  cause,
}: Incident): { readonly path: ActorPath; readonly incarnation: number } | undefined {
  if (cause?.type === 'envelope' && cause.envelope.type === 'settle') return cause.envelope
  return cause?.type === 'report' && cause.report.type === 'settled' ? cause.report : undefined
}

/** Whether nothing of the instance exists yet but its incident: its very first step has thrown. */
export function isUnborn(incident: Incident | undefined): boolean {
  return incident?.cause?.type === 'envelope' && incident.cause.envelope.type === 'start'
}

function typeOfEnvelope(envelope: Exclude<Envelope, EditEnvelope>): string {
  switch (envelope.type) {
    case 'send':
      return envelope.event.type
    case 'start':
      return 'xstate.init'
    case 'grant':
      return 'workflow.granted'
    case 'settle':
      return `xstate.${envelope.outcome.status}.actor.${envelope.path}`
    case 'acquire':
    case 'cancel':
    case 'fail':
    case 'pause':
    case 'release':
    case 'resume':
    case 'retry':
    case 'skip':
      return envelope.type
  }
}

function typeOfReport(report: ActivityReport): string {
  switch (report.type) {
    case 'event':
      return report.event.type
    case 'cut':
    case 'heartbeat':
      return report.type
    case 'moved':
      return `xstate.snapshot.${report.path}`
    case 'settled':
      return `xstate.${report.outcome.status}.actor.${report.path}`
  }
}
