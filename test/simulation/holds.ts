/** What must hold of instances that are stopped: of a paused or suspended one, and of all whose workflow a process holds. */
import { isDeepStrictEqual } from 'node:util'

import type { PauseScope } from '../../actors/ports.ts'
import { formatAddress } from '../../src/workflow/address.ts'
import { isStopped, type Chain } from './chain.ts'

/** So much its timers and activities may have told while a write took its time. */
const mostTold = 4

export class Holds {
  /** By process, what it has heard of that is paused, with a number that tells one pause from the next. */
  readonly #heard = new Map<string, Map<PauseScope, number>>()
  /** By commit, the pause that its writer knew of when it began to write, if any: it may have to write again. */
  readonly #knew = new Map<string, number | undefined>()
  /** By process, pause and instance, how many steps were stored that were asked for before the process held it. */
  readonly #last = new Map<string, number>()
  #count = 0

  /** The process hears of a pause. */
  paused(process: string, scope: PauseScope): void {
    const heard = this.#heard.get(process) ?? new Map<PauseScope, number>()
    this.#heard.set(process, heard)
    // It is told of all of them again after every reconnection.
    if (!heard.has(scope)) heard.set(scope, ++this.#count)
  }

  /** The process hears that it is over. */
  letGo(process: string, scope: PauseScope): void {
    this.#heard.get(process)?.delete(scope)
  }

  /** The process begins to write, or does so again. */
  writing(process: string, workflow: string, commit: string): void {
    if (this.#knew.has(commit)) return
    const heard = this.#heard.get(process)
    this.#knew.set(commit, heard?.get(undefined) ?? heard?.get(workflow))
  }

  /** A record is stored. Answers what is wrong with that. */
  stored(process: string, last: Chain | undefined, next: Chain): string | undefined {
    if (last && isStopped(last) && last.record.status === next.record.status)
      return hasMoved(last, next) ? `it was ${last.record.status}, and has changed` : undefined
    const pause = this.#knew.get(next.summary.commit)
    if (pause === undefined || isControlled(last, next) || !hasMoved(last, next)) return undefined
    // What its parts had told before is taken first, and each makes a turn of its own.
    const name = `${process} ${pause} ${formatAddress(next.address)}`
    const steps = (this.#last.get(name) ?? 0) + 1
    this.#last.set(name, steps)
    return steps > mostTold ? 'its workflow is held there' : undefined
  }
}

/** Whether somebody has dealt with it: that is taken although it is held. */
function isControlled(last: Chain | undefined, next: Chain): boolean {
  if (last?.record.incident !== undefined || next.control !== undefined) return true
  return !isDeepStrictEqual(last?.record.cancellation, next.record.cancellation)
}

function hasMoved(last: Chain | undefined, { record }: Chain): boolean {
  if (last === undefined) return true
  const { snapshot, timers } = last.record
  return !isDeepStrictEqual(snapshot, record.snapshot) || !isDeepStrictEqual(timers, record.timers)
}
