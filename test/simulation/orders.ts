/** What must hold of remote activities: a worker does what a record asks for, and what it did is told once. */
import type { Chain } from './chain.ts'

export class Orders {
  /** By invocation and attempt. */
  readonly #asked = new Set<string>()
  /** By process, invocation and attempt: what it is at. */
  readonly #underWay = new Set<string>()
  /** Tags of what a worker has done, or failed to do, in any attempt. */
  readonly #ended = new Set<string>()
  #violated: (what: string) => void

  constructor(violated: (what: string) => void) {
    this.#violated = violated
  }

  /** A record is stored. Answers what is wrong with that. */
  stored({ added, address, record }: Chain): string | undefined {
    for (const { attempt, incarnation, path, remote, retryAt } of record.activities) {
      if (remote === undefined || retryAt !== undefined) continue
      this.#asked.add(`${address.workflow}/${address.id}/${path}/${incarnation} ${attempt}`)
    }
    const invented = added.find(entry => {
      const [what, tag = ''] = entry.split(' ')
      return what === 'supplied' && !this.#ended.has(tag)
    })
    return invented === undefined ? undefined : `${invented}, which no worker has done`
  }

  /** A worker begins an attempt. */
  begins(process: string, invocation: string, attempt: number): void {
    const name = `${invocation} ${attempt}`
    if (!this.#asked.has(name)) this.#violated(`${process} does ${name}, which no record asks for`)
    if (this.#underWay.has(`${process} ${name}`))
      this.#violated(`${process} does ${name}, and is at it already`)
    this.#underWay.add(`${process} ${name}`)
  }

  /** A worker has come to the end of an attempt. */
  ends(process: string, invocation: string, attempt: number, tag: string): void {
    this.#underWay.delete(`${process} ${invocation} ${attempt}`)
    this.#ended.add(tag)
  }
}
