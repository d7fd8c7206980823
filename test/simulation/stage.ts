import type { Workflow } from '../../src/workflow/define-workflow.ts'
import { choreWorkflow } from './chore.ts'
import { ledgerWorkflow, type PersistenceName } from './ledger.ts'
import type { Outside } from './outside.ts'

/**
 * What all simulated processes share for being one real process: the definitions of the workflows, which are costly to
 * make, and who is at work right now, so that an activity knows where it runs.
 */
export class Stage {
  readonly chore: Workflow
  readonly #ledgers = new Map<PersistenceName, Workflow>()
  readonly #outside: Outside
  #current: Outside | undefined

  constructor() {
    const current = (): Outside => {
      if (this.#current === undefined) throw new Error('no process is at work')
      return this.#current
    }
    this.#outside = {
      sleep: delayMs => current().sleep(delayMs),
      ran: (idempotencyKey, attempt, lastHeartbeat) => current().ran(idempotencyKey, attempt, lastHeartbeat),
      beats: (idempotencyKey, beat) => current().beats(idempotencyKey, beat),
      failed: idempotencyKey => current().failed(idempotencyKey),
      writing: entry => current().writing(entry),
      acted: tag => current().acted(tag),
    }
    this.chore = choreWorkflow(this.#outside)
  }

  ledger(persistence: PersistenceName): Workflow {
    let ledger = this.#ledgers.get(persistence)
    if (ledger === undefined) {
      ledger = ledgerWorkflow(this.#outside, this.chore, persistence)
      this.#ledgers.set(persistence, ledger)
    }
    return ledger
  }

  /** From here on that process is at work, until another one is. */
  enter(outside: Outside): void {
    this.#current = outside
  }
}
