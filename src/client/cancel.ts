import type { CancelEnvelope, Outcome } from '../../actors/envelope.ts'
import { RuntimeError } from '../../actors/errors.ts'
import type { Clock, Hints } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import { formatAddress } from '../workflow/address.ts'
import { parseDuration, type Duration } from '../workflow/duration.ts'
import { publishForOutcome, type OutcomeContext } from './outcome.ts'

export interface CancelOptions {
  /** Whether everything stops at once, even if the machine takes `workflow.cancel`. Default false. */
  readonly force?: boolean
  /** How long a machine that takes `workflow.cancel` may go on; at most a year, default 30 s. */
  readonly grace?: Duration
  /** An instance applies the same id once, so a caller that may repeat itself gives its own. Default: a unique one. */
  readonly id?: string
  /** For people, and for the machine. Up to 1,024 characters. */
  readonly reason?: string
  readonly signal?: AbortSignal
  /** How long to wait until a node has taken it up; default 10 s. */
  readonly timeout?: Duration
}

/** What a cancel has come to: the end, or the machine's own way there. */
export type CancelOutcome = 'cancelled' | 'cancelling'

export interface CancelContext extends OutcomeContext {
  readonly clock: Clock
  readonly hints: Pick<Hints, 'send'>
  readonly nextId: () => string
}

/** Sends a cancel, has what runs aborted as soon as it is durable, and waits for what comes of it. */
export async function cancelInstance(
  context: CancelContext,
  target: Address,
  options: CancelOptions,
): Promise<CancelOutcome> {
  const { force = false, grace, id, reason = '', signal, timeout = '10s' } = options
  const timeoutMs = parseDuration(timeout, 'timeout')
  const envelope: CancelEnvelope = {
    type: 'cancel',
    id: id ?? context.nextId(),
    target,
    time: context.clock.now(),
    reason,
    ...(force && { force }),
    ...(grace !== undefined && { graceMs: parseDuration(grace, 'grace') }),
  }
  const stored = () => context.hints.send({ target, isForced: force })
  return readOutcome(target, await publishForOutcome(context, envelope, { signal, stored, timeoutMs }))
}

function readOutcome(target: Address, outcome: Outcome): CancelOutcome {
  if (outcome.type !== 'rejected') {
    const { status } = outcome.snapshot
    if (status === 'active') return 'cancelling'
    if (status !== 'error') return 'cancelled'
    // The machine took it, and that was too much for it.
    const message = `${formatAddress(target)} has failed`
    throw new RuntimeError('INSTANCE_FINISHED', message, { fields: { ...target, status: 'failed' } })
  }
  const { code, fields, message } = outcome
  // It was cancelled before: whoever wants that again has it.
  if (code === 'INSTANCE_FINISHED' && fields?.['status'] === 'cancelled') return 'cancelled'
  throw new RuntimeError(code, message, { fields: { ...target, ...fields } })
}
