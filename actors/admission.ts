import type { Draft } from './draft.ts'
import {
  isControl,
  type ControlEnvelope,
  type Delivery,
  type Envelope,
  type Rejection,
  type StartEnvelope,
} from './envelope.ts'
import { isUnborn } from './incident.ts'
import { poolWorkflow } from './pool.ts'
import { isFinal, type InstanceRecord } from './record.ts'
import { repetitionOf } from './repetition.ts'
import type { Decision } from './turn.ts'

/** A pool is never over, so it can be neither cancelled nor failed. Its state says who holds what: nobody may edit that. */
const forPools: ReadonlySet<Envelope['type']> = new Set([
  'acquire',
  'pause',
  'release',
  'resume',
  'retry',
  'skip',
])

/** What a suspended instance goes on by, unless a step throws. */
const goesOnBy: ReadonlySet<Envelope['type']> = new Set(['resume', 'retry', 'skip'])

/** What there is of an instance. Of one that had finished before it was loaded there is only the record. */
export interface Known {
  readonly draft: Draft | undefined
  readonly finished: InstanceRecord | undefined
  /** How it was started; undefined while there is no instance. */
  readonly start: Pick<InstanceRecord, 'inputDigest' | 'parent'> | undefined
  /** Of the stored record; 0 while there is none. */
  readonly revision: number
}

/** Why a delivery is not applied to the instance; undefined when it must be. */
export function objectionTo(delivery: Delivery, known: Known): Decision | undefined {
  const { envelope } = delivery
  const { draft, finished, start } = known
  const name = `${envelope.target.workflow}/${envelope.target.id}`
  if (envelope.target.workflow === poolWorkflow && !forPools.has(envelope.type)) {
    return rejected('WORKFLOW_UNKNOWN', `${name} is a pool: it takes no ${envelope.type}`)
  }
  if (envelope.type === 'start') {
    if (start === undefined) return undefined
    // However far the cursor is: a refused start that comes again is refused again, until it is kept as a dead letter.
    if (isSameStart(start, envelope)) return { type: 'duplicate' }
    return rejected('INSTANCE_EXISTS', `${name} was started before, with another input or by another`)
  }
  const applied = draft?.applied ?? finished
  const repetition = applied && repetitionOf(applied, delivery)
  if (repetition !== undefined) {
    const isInVain = goesOnBy.has(envelope.type) && draft?.incident !== undefined
    return { type: isInVain ? 'stillSuspended' : repetition }
  }
  if (envelope.type === 'acquire' && start === undefined) return undefined
  if (start === undefined) return rejected('INSTANCE_NOT_FOUND', `${name} does not exist: start it first`)
  if (isControl(envelope)) {
    const objection = objectionToControl(envelope, name, known)
    if (objection !== undefined) return objection
  }
  if (draft !== undefined && !isFinal(draft.status)) return undefined
  const status = draft?.status ?? finished?.status
  return rejected('INSTANCE_FINISHED', `${name} has finished and takes no more events`, { status })
}

/** Why an instance that is in that status does not let itself be controlled so. */
function objectionToControl(
  envelope: ControlEnvelope,
  name: string,
  { draft, finished, revision }: Known,
): Decision | undefined {
  const status = draft?.status ?? finished!.status
  const isSuspended = status === 'suspended'
  switch (envelope.type) {
    case 'cancel':
      return undefined
    case 'pause':
    case 'resume':
      if (!isSuspended) return undefined
      return rejected('INSTANCE_SUSPENDED', `${name} is suspended: retry, skip or fail what has suspended it`)
    case 'edit':
      if (!isSuspended && status !== 'paused') {
        return rejected('INSTANCE_NOT_SUSPENDED', `${name} is ${status}: pause it to edit it`)
      }
      if (isUnborn(draft?.incident)) return notBegun(name, 'edit')
      if (envelope.revision === revision) return undefined
      return rejected('REVISION_CONFLICT', `${name} has changed since revision ${envelope.revision} was read`)
    case 'fail':
    case 'retry':
    case 'skip':
      if (!isSuspended) return rejected('INSTANCE_NOT_SUSPENDED', `${name} is not suspended: it is ${status}`)
      return envelope.type === 'skip' && isUnborn(draft?.incident) ? notBegun(name, 'skip') : undefined
  }
}

function notBegun(name: string, what: string): Decision {
  return rejected(
    'INSTANCE_NOT_BEGUN',
    `${name} has not begun, there is nothing to ${what}: retry or fail its start`,
  )
}

/** The start that a pool never gets: its first acquire makes it. Undefined when it is none. */
export function startOfPool(envelope: Envelope): StartEnvelope | undefined {
  if (envelope.type !== 'acquire') return undefined
  const { id, target, time } = envelope
  return { type: 'start', id, target, time, input: undefined, inputDigest: poolWorkflow }
}

/** A child must be the child of that invocation, or the one that waits for it would wait for ever. */
function isSameStart(
  first: Pick<InstanceRecord, 'inputDigest' | 'parent'>,
  { inputDigest, parent }: StartEnvelope,
): boolean {
  if (first.inputDigest !== inputDigest) return false
  if (parent === undefined) return true
  const { address, path, incarnation, index } = parent
  return (
    first.parent?.address.workflow === address.workflow &&
    first.parent.address.id === address.id &&
    first.parent.path === path &&
    first.parent.incarnation === incarnation &&
    first.parent.index === index
  )
}

function rejected(
  code: Rejection,
  message: string,
  fields: Readonly<Record<string, unknown>> = {},
): Decision {
  return { type: 'rejected', code, fields, message }
}
