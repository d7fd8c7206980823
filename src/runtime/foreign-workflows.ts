/**
 * What a partition is sent for workflows that this node does not run.
 *
 * Nodes of one namespace may run different workflows, if only during a deployment: then the owner of a partition may be
 * sent what another node could take. So it asks the config bucket, where every node registers what it runs before it
 * serves anything, and registrations stay.
 *
 * ```
 *                 registered
 *   asking ─┬──────────────────▶ parked, with all that follows, as if the workflow were paused: see holds.ts
 *    ▲  │   │  never registered
 *    └──┘   └──────────────────▶ refused: kept among the dead letters
 *    no answer
 * ```
 *
 * While it asks, nothing of that workflow is settled, and the order is kept. What is parked waits for the next owner of the
 * partition that runs the workflow; one that does not leaves it where it is. Nobody answers meanwhile: who waits for an
 * outcome hears of it then, or runs out of time. Whether a node that runs the workflow is alive just now is not asked: it
 * may be the one that is being restarted.
 *
 * Control envelopes are parked with the rest only when nobody waits for what they do, like those that cancel a child.
 * Behind what a stopped instance does not take they could wait for ever; so others are refused at once, and may be sent again.
 *
 * Nothing of this is stored. If the process dies
 *
 * - while it asks: everything comes again from the inbox, and the next owner asks;
 * - after envelopes are parked, before they are acknowledged: they come again, and are known to be parked.
 */
import { isRuntimeError } from '../../actors/errors.ts'
import type { Clock, InboxMessage } from '../../actors/ports.ts'
import type { Log } from './log.ts'
import { persistently } from './persistently.ts'

export interface ForeignWorkflowsContext {
  readonly clock: Clock
  readonly log: Log
  /** Whether some node runs the workflow, or has run it. */
  readonly isRegistered: (workflow: string) => Promise<boolean>
  /** It is known what becomes of envelopes for that workflow: told in the order they came. */
  readonly known: (workflow: string, isRegistered: boolean, messages: readonly InboxMessage[]) => void
  /** Nobody wants it any more. */
  readonly isOver: () => boolean
  /** Work that goes on and never rejects. */
  readonly track: (work: Promise<void>) => void
}

export class ForeignWorkflows {
  readonly #context: ForeignWorkflowsContext
  /** By workflow, what waits until it is known what that is. */
  readonly #asking = new Map<string, InboxMessage[]>()

  constructor(context: ForeignWorkflowsContext) {
    this.#context = context
  }

  /** An envelope for a workflow that this node does not run. */
  take(workflow: string, message: InboxMessage): void {
    const waiting = this.#asking.get(workflow)
    if (waiting !== undefined) {
      waiting.push(message)
      return
    }
    this.#asking.set(workflow, [message])
    this.#context.track(this.#ask(workflow))
  }

  /** Never rejects. */
  async #ask(workflow: string): Promise<void> {
    const { clock, isOver, known, log } = this.#context
    let isRegistered = false
    const failure = await persistently(
      async () => {
        isRegistered = await this.#context.isRegistered(workflow)
      },
      clock,
      isOver,
      error =>
        log.warn({ err: error, workflow }, 'it could not be seen whether another node runs a workflow'),
    )
    const messages = this.#asking.get(workflow)!
    this.#asking.delete(workflow)
    if (isOver()) return
    // No workflow has such a name. Anything else may be cured: what cannot be known is not thrown away.
    const isNone = isRuntimeError(failure, 'ID_INVALID')
    known(workflow, isRegistered || (failure !== undefined && !isNone), messages)
  }
}
