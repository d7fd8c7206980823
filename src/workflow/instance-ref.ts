import { sendTo } from 'xstate'
import type {
  ActionArgs,
  ActionFunction,
  ActorRef,
  AnyMachineSnapshot,
  EventObject,
  MachineContext,
  ParameterizedObject,
} from 'xstate'

import { InstanceRef, startInstanceType } from '../../actors/instance-ref.ts'
import { checkInstanceId } from './address.ts'
import type { EventOf, InputOf, Workflow } from './define-workflow.ts'

/**
 * Stands for an instance, running or not, as the target of `sendTo` in a machine:
 *
 *     sendTo(({ context }) => instanceRef(order, context.orderId), { type: 'PAID' })
 *
 * What is sent goes out after the commit of the step that sends it, and is applied once, in the order it was sent from
 * one instance to another. It reaches an instance that exists or that this one has started before; an event for one
 * that does not exist becomes a dead letter. A `delay` works. The reference may be kept in context.
 *
 * @throws RuntimeError `ID_INVALID`
 */
export function instanceRef<TWorkflow extends Workflow>(
  workflow: TWorkflow | string,
  id: string,
): ActorRef<AnyMachineSnapshot, EventOf<TWorkflow>> {
  const name = typeof workflow === 'string' ? workflow : workflow.name
  const ref: unknown = new InstanceRef({ workflow: name, id: checkInstanceId(id) })
  return ref as ActorRef<AnyMachineSnapshot, EventOf<TWorkflow>>
}

/** Which instance to start, and with what. */
export interface InstanceStart<TWorkflow extends Workflow> {
  readonly id: string
  readonly input: InputOf<TWorkflow>
}

/**
 * An action that starts an instance of another workflow and does not wait for it:
 *
 *     startInstance(invoice, ({ context }) => ({ id: context.orderId, input: { total: context.total } }))
 *
 * The start goes out after the commit of the step and happens once: the same id with the same input is the same start.
 * One that is refused (the input does not fit, the id is taken) becomes a dead letter. To wait for the result, use
 * `childWorkflow`.
 */
export function startInstance<
  TContext extends MachineContext,
  TExpressionEvent extends EventObject,
  TEvent extends EventObject,
  TParams extends ParameterizedObject['params'] | undefined,
  TWorkflow extends Workflow,
>(
  workflow: TWorkflow,
  start: (args: ActionArgs<TContext, TExpressionEvent, TEvent>, params: TParams) => InstanceStart<TWorkflow>,
): ActionFunction<TContext, TExpressionEvent, TEvent, TParams, never, never, never, never, never> {
  return sendTo<TContext, TExpressionEvent, TParams, ActorRef<AnyMachineSnapshot, EventObject>, TEvent>(
    (args, params) => instanceRef<Workflow>(workflow, start(args, params).id),
    (args, params) => ({ type: startInstanceType, input: start(args, params).input }),
  )
}
