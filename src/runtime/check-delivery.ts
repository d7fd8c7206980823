import type { Delivery, Refusal } from '../../actors/envelope.ts'
import { isRuntimeError } from '../../actors/errors.ts'
import type { EventObject } from '../../actors/event.ts'
import { validate } from '../workflow/schema.ts'
import type { HostedWorkflow } from './hosted-workflow.ts'

/** The delivery as the machine shall see it, or why it must not. */
export type CheckedDelivery = { readonly type: 'accepted'; readonly delivery: Delivery } | Refusal

/** Holds what came from outside against the schemas of the workflow. */
export function checkDelivery(workflow: HostedWorkflow, delivery: Delivery): CheckedDelivery {
  const { envelope } = delivery
  try {
    if (envelope.type === 'start') {
      if (workflow.inputSchema === undefined) return { type: 'accepted', delivery }
      const input = validate(workflow.inputSchema, envelope.input, 'input')
      return { type: 'accepted', delivery: { ...delivery, envelope: { ...envelope, input } } }
    }
    if (envelope.type !== 'send') return { type: 'accepted', delivery }
    const schema = workflow.eventSchemas[envelope.event.type]
    if (schema === undefined) return { type: 'accepted', delivery }
    const event = validate(schema, envelope.event, 'event') as EventObject
    return { type: 'accepted', delivery: { ...delivery, envelope: { ...envelope, event } } }
  } catch (error) {
    if (!isRuntimeError(error)) throw error
    const code = envelope.type === 'start' ? 'INPUT_INVALID' : 'EVENT_INVALID'
    return { type: 'rejected', code, message: error.message, fields: error.fields }
  }
}
