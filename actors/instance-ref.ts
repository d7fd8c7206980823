import { RuntimeError } from './errors.ts'
import type { Address } from './address.ts'
import { checkEvent, type EventObject } from './event.ts'

/** Marks what stands for another instance. Registered globally, so that two copies of the package agree. */
const addressKey: unique symbol = Symbol.for('holdfast.instance') as never

const sessionPrefix = 'instance:'

/**
 * Type of the event that asks another instance to start, in place of one that is handed to it. No machine can use it:
 * types that begin like this are XState's.
 */
export const startInstanceType = 'xstate.start.instance'

/** The same for an event that stands for the message it carries. Only machines of the runtime's own send it. */
export const postMessageType = 'xstate.post.message'

/**
 * Stands for another instance where XState wants a reference to an actor: the target of `sendTo`. It holds nothing but
 * the address, and what is sent to it goes out with the commit.
 */
export class InstanceRef {
  readonly [addressKey]: Address
  readonly id: string
  readonly sessionId: string

  constructor(address: Address) {
    this[addressKey] = address
    this.id = `${address.workflow}/${address.id}`
    this.sessionId = `${sessionPrefix}${this.id}`
  }

  get ref(): this {
    return this
  }

  getSnapshot(): { readonly status: 'active'; readonly children: object } {
    return { status: 'active', children: {} }
  }

  send(event: EventObject): never {
    throw new RuntimeError(
      'ABORTED',
      `'${event.type}' cannot be sent to instance ${this.id} from here: use sendTo() in a machine that a node runs, or ` +
        'a client',
    )
  }

  _send(event: EventObject): never {
    return this.send(event)
  }
}

/**
 * What may be sent to another instance: what anybody may send, or what stands for a message of the runtime's own. To be
 * asked while the step is made, so that it is the step that fails.
 *
 * @throws RuntimeError as `checkEvent`
 */
export function checkPosted(event: EventObject): EventObject {
  const type: unknown = (event as EventObject | null | undefined)?.type
  return type === startInstanceType || type === postMessageType ? event : checkEvent(event)
}

/** The address of the instance that a reference stands for; undefined for any other actor. */
export function addressOf(ref: unknown): Address | undefined {
  return (ref as { [addressKey]?: Address } | null | undefined)?.[addressKey]
}

/** The reference that has this session id; undefined when it is that of an actor inside an instance. */
export function instanceRefOf(sessionId: string): InstanceRef | undefined {
  if (!sessionId.startsWith(sessionPrefix)) return undefined
  const text = sessionId.slice(sessionPrefix.length)
  const slash = text.indexOf('/')
  return new InstanceRef({ workflow: text.slice(0, slash), id: text.slice(slash + 1) })
}
