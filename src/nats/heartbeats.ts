/**
 * Heartbeats of nodes: a key each in the bucket of the leases, which forgets it a lease's time after the last one.
 *
 * A write to a bucket is a message that anyone can subscribe to, so hearing the others costs no consumer. Messages
 * can be missed, which the next heartbeat makes good. Whoever begins to listen reads which keys there are.
 */
import type { HeartbeatListener, Heartbeats } from '../../actors/ports.ts'
import { headersOf, type NatsConnection } from './connection.ts'
import { isRemoved, readEntry } from './entry.ts'
import { translate } from './errors.ts'
import type { Namespace } from './provision.ts'
import { unescapeToken } from './subjects.ts'

const encoder = new TextEncoder()

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

  async beat(): Promise<void> {
    try {
      await this.#connection.publish(this.#subject, encoder.encode(this.#incarnation))
    } catch (error) {
      throw translate(error, { what: 'say that this node is alive', subject: this.#subject })
    }
  }

  async leave(): Promise<void> {
    const headers = headersOf({ 'KV-Operation': 'DEL' })
    try {
      await this.#connection.publish(this.#subject, new Uint8Array(0), { headers })
    } catch (error) {
      throw translate(error, { what: 'say that this node leaves', subject: this.#subject })
    }
  }

  async listen(listener: HeartbeatListener): Promise<() => void> {
    const { allHeartbeats } = this.#namespace.subjects
    const subscription = this.#connection.nc.subscribe(allHeartbeats, {
      callback: (error, msg) => {
        if (error !== null) return
        const name = nameOf(msg.subject)
        if (name === undefined) return
        if (isRemoved(msg.data.length)) listener.left(name)
        else listener.alive(name)
      },
    })
    try {
      // The subscription stands before the keys are read: the questions go the same way after it.
      const names = await Promise.all((await this.#knownSubjects()).map(subject => this.#aliveAt(subject)))
      for (const name of names) if (name !== undefined) listener.alive(name)
    } catch (error) {
      subscription.unsubscribe()
      throw translate(error, { what: 'find the nodes of the namespace', subject: allHeartbeats })
    }
    return () => subscription.unsubscribe()
  }

  async #knownSubjects(): Promise<readonly string[]> {
    const { allHeartbeats, leaseStream } = this.#namespace.subjects
    const question = { subjects_filter: allHeartbeats }
    const info = (await this.#connection.askApi(`$JS.API.STREAM.INFO.${leaseStream}`, question)) as StreamInfo
    return Object.keys(info.state.subjects ?? {})
  }

  /** The node whose heartbeat is stored there; undefined when it has left. */
  async #aliveAt(subject: string): Promise<string | undefined> {
    const entry = await readEntry(this.#connection, this.#namespace.subjects.leaseStream, subject)
    return entry === undefined || isRemoved(entry.data.length) ? undefined : nameOf(subject)
  }
}

interface StreamInfo {
  readonly state: { readonly subjects?: Readonly<Record<string, number>> }
}

function nameOf(subject: string): string | undefined {
  return unescapeToken(subject.slice(subject.lastIndexOf('.') + 1))
}
