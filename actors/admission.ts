import type { Draft } from './draft.ts'
import type { Delivery, Rejection, StartEnvelope } from './envelope.ts'
import { isFinal, type InstanceRecord } from './record.ts'
import { isRepetition } from './repetition.ts'
import type { Decision } from './turn.ts'

/** What there is of an instance. Of one that had finished before it was loaded there is only the record. */
export interface Known {
  readonly draft: Draft | undefined
  readonly finished: InstanceRecord | undefined
  /** How it was started; undefined while there is no instance. */
  readonly start: Pick<InstanceRecord, 'inputDigest' | 'parent'> | undefined
}

/** Why a delivery is not applied to the instance; undefined when it must be. */
export function objectionTo({ envelope, seq }: Delivery, known: Known): Decision | undefined {
  const { draft, finished, start } = known
  const name = `${envelope.target.workflow}/${envelope.target.id}`
  if (envelope.type === 'start') {
    if (start === undefined) return undefined
    // However far the cursor is: a refused start that comes again is refused again, until it is kept as a dead letter.
    if (isSameStart(start, envelope)) return { type: 'duplicate' }
    return rejected('INSTANCE_EXISTS', `${name} was started before, with another input or by another`)
  }
  const isKnown =
    draft?.knows(envelope, seq) ?? (finished !== undefined && isRepetition(finished, envelope, seq))
  if (isKnown) return { type: 'duplicate' }
  if (start === undefined) return rejected('INSTANCE_NOT_FOUND', `${name} does not exist: start it first`)
  if (draft !== undefined && !isFinal(draft.status)) return undefined
  const status = draft?.status ?? finished?.status
  return rejected('INSTANCE_FINISHED', `${name} has finished and takes no more events`, { status })
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
