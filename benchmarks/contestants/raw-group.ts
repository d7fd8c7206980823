import { headers, nuid, type NatsConnection } from 'nats'

interface Waiting {
  /** The sequence that the last message of the subject must have; undefined: any. */
  readonly expected: number | undefined
  readonly payload: Uint8Array
  readonly reject: (error: unknown) => void
  readonly resolve: (seq: number) => void
  readonly subject: string
}

/** As in `src/nats/group-publisher.ts`, where they were found out. */
const leastTogether = 16
const mostTogether = 400
const mostSingly = 8

/**
 * Stores messages as fast as a bare client can: few singly, many as one atomic batch (ADR-50), the next of which gathers
 * meanwhile. A message that is refused fails all: nothing here may be.
 */
export class RawGroup {
  readonly #nc: NatsConnection
  #isBatchUnderWay = false
  #singly = 0
  #waiting: Waiting[] = []

  constructor(nc: NatsConnection) {
    this.#nc = nc
  }

  /** Answers the sequence. */
  publish(subject: string, payload: Uint8Array, expected?: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ expected, payload, reject, resolve, subject })
      if (this.#waiting.length === 1) queueMicrotask(() => this.#send())
    })
  }

  #send(): void {
    if (this.#isBatchUnderWay) return
    if (this.#waiting.length >= leastTogether) {
      void this.#sendTogether(this.#waiting.splice(0, mostTogether))
      return
    }
    while (this.#singly < mostSingly && this.#waiting.length > 0) void this.#sendAlone(this.#waiting.shift()!)
  }

  async #sendAlone(waiting: Waiting): Promise<void> {
    this.#singly++
    try {
      waiting.resolve(await this.#request(waiting, {}))
    } catch (error) {
      waiting.reject(error)
    }
    this.#singly--
    this.#send()
  }

  async #sendTogether(batch: readonly Waiting[]): Promise<void> {
    this.#isBatchUnderWay = true
    const id = nuid.next()
    try {
      for (const [index, waiting] of batch.slice(0, -1).entries()) {
        const { payload, subject } = waiting
        this.#nc.publish(subject, payload, { headers: headersOf(waiting, batchHeaders(id, index + 1)) })
      }
      const end = { ...batchHeaders(id, batch.length), 'Nats-Batch-Commit': '1' }
      const last = await this.#request(batch.at(-1)!, end)
      for (const [index, { resolve }] of batch.entries()) resolve(last - batch.length + 1 + index)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
    this.#isBatchUnderWay = false
    this.#send()
  }

  async #request(waiting: Waiting, more: Readonly<Record<string, string>>): Promise<number> {
    const { payload, subject } = waiting
    const reply = await this.#nc.request(subject, payload, {
      headers: headersOf(waiting, more),
      timeout: 10_000,
    })
    const answer = reply.json<{ readonly error?: { readonly description: string }; readonly seq: number }>()
    if (answer.error !== undefined) throw new Error(`${subject}: ${answer.error.description}`)
    return answer.seq
  }
}

function batchHeaders(id: string, sequence: number): Readonly<Record<string, string>> {
  return { 'Nats-Batch-Id': id, 'Nats-Batch-Sequence': String(sequence) }
}

function headersOf({ expected }: Waiting, more: Readonly<Record<string, string>>) {
  const all = headers()
  for (const [name, value] of Object.entries(more)) all.set(name, value)
  if (expected !== undefined) all.set('Nats-Expected-Last-Subject-Sequence', String(expected))
  return all
}
