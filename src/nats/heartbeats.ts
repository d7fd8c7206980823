/**
 * Heartbeats of nodes: a key each in the bucket of the leases, which forgets it a lease's time after the last one.
 *
 * A write to a bucket is a message that anyone can subscribe to, so hearing the others costs no consumer. Messages
 * can be missed, which the next heartbeat makes good. Whoever begins to listen reads which keys there are, and how old:
 * by the server's clock, as it is the one that forgets them. A heartbeat is sent on to those who listen before it is stored,
 * by milliseconds when many leases are being taken: who begins to listen in between does not hear it, and reads too early.
 * So a node says first that it is alive, and reads when that is stored: what came before it is stored then, too.
 *
 * The value is `{"incarnation":"…","avoided":[3]}`. Older nodes wrote the incarnation alone, and read no value at all.
 */
import type { HeartbeatListener, Heartbeats } from '../../actors/ports.ts'
import type { NatsConnection } from './connection.ts'
import { isRemoved, readEntry } from './entry.ts'
import { translate } from './errors.ts'
import { Headers } from './headers.ts'
import type { Namespace } from './provision.ts'
import { unescapeToken } from './subjects.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export class NatsHeartbeats implements Heartbeats {
  readonly #connection: NatsConnection
  readonly #namespace: Namespace
  readonly #subject: string
  readonly #incarnation: string

  constructor(
    connection: NatsConnection,
    namespace: Namespace,
    node: { readonly name: string; readonly incarnation: string },
  ) {
    this.#connection = connection
    this.#namespace = namespace
    this.#subject = namespace.subjects.heartbeat(node.name)
    this.#incarnation = node.incarnation
  }

  async beat(avoided: readonly number[] = []): Promise<void> {
    const value = JSON.stringify({ incarnation: this.#incarnation, avoided })
    try {
      await this.#connection.publish(this.#subject, encoder.encode(value))
    } catch (error) {
      throw translate(error, { what: 'say that this node is alive', subject: this.#subject })
    }
  }

  async leave(): Promise<void> {
    const headers = Headers.of({ 'KV-Operation': 'DEL' })
    try {
      await this.#connection.publish(this.#subject, new Uint8Array(0), { headers })
    } catch (error) {
      throw translate(error, { what: 'say that this node leaves', subject: this.#subject })
    }
  }

  async listen(listener: HeartbeatListener, saying?: () => Promise<void>): Promise<() => void> {
    const { allHeartbeats } = this.#namespace.subjects
    const heard = new Set<string>()
    let refusal: Error | undefined
    const subscription = this.#connection.nc.subscribe(allHeartbeats, {
      callback: (error, msg) => {
        if (error !== null) {
          refusal = error
          return
        }
        const name = nameOf(msg.subject)
        if (name === undefined) return
        heard.add(name)
        if (isRemoved(msg.data.length)) listener.left(name)
        else listener.alive(name, 0, avoidedIn(msg.data))
      },
    })
    try {
      await saying?.()
      // The subscription stands, or is refused, before the keys are read: the questions go the same way after it.
      for (const { agoMs, avoided, name } of await this.#stored()) {
        if (!heard.has(name)) listener.alive(name, agoMs, avoided)
      }
      if (refusal !== undefined) throw refusal
    } catch (error) {
      subscription.unsubscribe()
      throw translate(error, { what: 'hear the nodes of the namespace', subject: allHeartbeats })
    }
    return () => subscription.unsubscribe()
  }

  async #stored(): Promise<readonly StoredHeartbeat[]> {
    const { allHeartbeats, leaseStream } = this.#namespace.subjects
    const question = { subjects_filter: allHeartbeats }
    const info = (await this.#connection.askApi(`$JS.API.STREAM.INFO.${leaseStream}`, question)) as StreamInfo
    // Servers before 2.10 do not say what time it is by their clock: there each heartbeat counts as of now.
    const now = Date.parse(info.ts ?? '')
    const found = await Promise.all(
      Object.keys(info.state.subjects ?? {}).map(async subject => {
        const entry = await readEntry(this.#connection, leaseStream, subject)
        const name = nameOf(subject)
        if (entry === undefined || isRemoved(entry.data.length) || name === undefined) return []
        return [{ name, agoMs: Math.max(0, now - entry.time || 0), avoided: avoidedIn(entry.data) }]
      }),
    )
    return found.flat()
  }
}

interface StoredHeartbeat {
  readonly name: string
  readonly agoMs: number
  readonly avoided: readonly number[]
}

interface StreamInfo {
  readonly state: { readonly subjects?: Readonly<Record<string, number>> }
  readonly ts?: string
}

/** Nothing, too, when it is the heartbeat of an older node, or of whoever else writes there. */
function avoidedIn(data: Uint8Array): readonly number[] {
  try {
    const { avoided } = JSON.parse(decoder.decode(data)) as { readonly avoided?: unknown }
    return Array.isArray(avoided) ? avoided.filter(partition => Number.isSafeInteger(partition)) : []
  } catch {
    return []
  }
}

function nameOf(subject: string): string | undefined {
  return unescapeToken(subject.slice(subject.lastIndexOf('.') + 1))
}
