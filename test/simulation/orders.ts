/** What must hold of remote activities: a worker does what a record asks for, and what it did is told once. */
import type { Beat } from './attempts.ts'
import type { Chain } from './chain.ts'

export class Orders {
  /** By invocation and attempt, the heartbeat that it must at least be told of. */
  readonly #asked = new Map<string, Beat | undefined>()
  /** By process, invocation and attempt: what it is at. */
  readonly #underWay = new Set<string>()
  /** Tags of what a worker has done, or failed to do, in any attempt. */
  readonly #ended = new Set<string>()
  /** By invocation, how far workers have said that they are. */
  readonly #said = new Map<string, Set<string>>()
  /** The same, as far as records have said it, in order. */
  readonly #kept = new Map<string, Beat[]>()
  #violated: (what: string) => void

  constructor(violated: (what: string) => void) {
    this.#violated = violated
  }

  /** A record is stored. Answers what is wrong with that. */
  stored({ added, address, record }: Chain): string | undefined {
    for (const { attempt, incarnation, lastHeartbeat, path, remote, retryAt } of record.activities) {
      if (remote === undefined) continue
      const invocation = `${address.workflow}/${address.id}/${path}/${incarnation}`
      const name = `${invocation} ${attempt}`
      const beat = lastHeartbeat as Beat | undefined
      const wrong = this.#wrongBeat(invocation, beat)
      if (wrong !== undefined) return `${name}: ${wrong}`
      if (retryAt === undefined && !this.#asked.has(name)) this.#asked.set(name, beat)
    }
    const invented = added.find(entry => {
      const [what, tag = ''] = entry.split(' ')
      return what === 'supplied' && !this.#ended.has(tag)
    })
    return invented === undefined ? undefined : `${invented}, which no worker has done`
  }

  /** A worker begins an attempt, and is told of that heartbeat. */
  begins(process: string, invocation: string, attempt: number, lastHeartbeat: unknown): void {
    const name = `${invocation} ${attempt}`
    const told = lastHeartbeat as Beat | undefined
    if (!this.#asked.has(name)) this.#violated(`${process} does ${name}, which no record asks for`)
    if (this.#underWay.has(`${process} ${name}`))
      this.#violated(`${process} does ${name}, and is at it already`)
    this.#underWay.add(`${process} ${name}`)
    const kept = this.#kept.get(invocation) ?? []
    const isKept = told === undefined || kept.some(beat => shown(beat) === shown(told))
    // A worker may have come further since the attempt was asked for.
    if (!isKept || (told?.attempt ?? 0) < (this.#asked.get(name)?.attempt ?? 0))
      this.#violated(`${process} does ${name}, and is told of heartbeat ${told && shown(told)}`)
  }

  /** A worker says how far it is. */
  beats(invocation: string, beat: Beat): void {
    const said = this.#said.get(invocation) ?? new Set()
    this.#said.set(invocation, said.add(shown(beat)))
  }

  /** A worker has come to the end of an attempt. */
  ends(process: string, invocation: string, attempt: number, tag: string): void {
    this.#underWay.delete(`${process} ${invocation} ${attempt}`)
    this.#ended.add(tag)
  }

  /** Two workers may be at one attempt, so only from one attempt to the next it never goes back. */
  #wrongBeat(invocation: string, beat: Beat | undefined): string | undefined {
    const kept = this.#kept.get(invocation) ?? []
    this.#kept.set(invocation, kept)
    const last = kept.at(-1)
    if (beat === undefined) return last && `heartbeat ${shown(last)} is lost`
    if (this.#said.get(invocation)?.has(shown(beat)) !== true)
      return `nobody has said that it is at ${shown(beat)}`
    if (last !== undefined && beat.attempt < last.attempt) return `its heartbeat goes back to ${shown(beat)}`
    kept.push(beat)
    return undefined
  }
}

function shown({ attempt, count }: Beat): string {
  return `${attempt}.${count}`
}
