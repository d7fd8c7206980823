import type { RuntimeError } from '../../../actors/errors.ts'
import { stringify } from '../../codec/json.ts'
import { writeLines, type Output } from '../terminal.ts'
import type { DevScreen } from './dev-screen.ts'
import type { DevRow, DevView } from './dev-view.ts'

/** For programs: one JSON document a line, each with a `type`. */
export class JsonScreen implements DevScreen {
  readonly #output: Output
  #view: DevView | undefined
  #applied = 0

  constructor(output: Output) {
    this.#output = output
  }

  preparing(message: string): void {
    this.#write('preparing', { message })
  }

  started(view: DevView): void {
    this.#view = view
    this.#write('started', { ...view.facts, feed: view.feed })
  }

  changed({ address, name, revision, state, status }: DevRow): void {
    this.#write('changed', { address: name, ...address, revision, state, status })
    const { applied = 0, feed } = this.#view ?? {}
    if (applied === this.#applied) return
    this.#applied = applied
    this.#write('applied', { count: applied, total: feed?.total })
  }

  refused(position: number, { code, message }: RuntimeError): void {
    const { feed, refused: count } = this.#view!
    this.#write('refused', { position, code, message, count, kept: feed!.deadLetters })
  }

  stopping(): void {
    this.#write('stopping', {})
  }

  stopped(): void {
    this.#write('stopped', {})
  }

  #write(type: string, facts: object): void {
    writeLines(this.#output, stringify({ type, ...facts }))
  }
}
