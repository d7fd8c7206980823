/**
 * Nodes are asked about themselves by messages that nothing keeps: a subject for each, and one answer.
 *
 * Which nodes there are is told by their heartbeats, so one that is alive and does not answer is known of.
 */
import type { Msg } from 'nats'
import type { Inspection } from '../../actors/ports.ts'
import type { SupervisedNode, SupervisionQuestion } from '../../actors/supervision.ts'
import { decodeValue, encodeValue } from '../codec/msgpack.ts'
import { isObject } from '../codec/shape.ts'
import type { NatsConnection } from './connection.ts'
import { isRuntimeError } from '../../actors/errors.ts'
import { isRemoved, readEntry } from './entry.ts'
import { translate } from './errors.ts'
import type { Namespace } from './provision.ts'
import { unescapeToken } from './subjects.ts'

export class NatsInspection implements Inspection {
  readonly #connection: NatsConnection
  readonly #namespace: Namespace

  constructor(connection: NatsConnection, namespace: Namespace) {
    this.#connection = connection
    this.#namespace = namespace
  }

  async names(): Promise<readonly string[]> {
    const { allHeartbeats, leaseStream } = this.#namespace.subjects
    const subject = `$JS.API.STREAM.INFO.${leaseStream}`
    try {
      const info = (await this.#connection.askApi(subject, { subjects_filter: allHeartbeats })) as StreamInfo
      const names = await Promise.all(
        Object.keys(info.state.subjects ?? {}).map(async key => {
          // A node that has left leaves a marker, for the time a lease lasts.
          const entry = await readEntry(this.#connection, leaseStream, key)
          if (entry === undefined || isRemoved(entry.data.length)) return undefined
          return unescapeToken(key.slice(key.lastIndexOf('.') + 1))
        }),
      )
      return names.filter(name => name !== undefined).toSorted()
    } catch (error) {
      throw translate(error, { what: 'see which nodes there are', subject })
    }
  }

  async ask(
    node: string,
    question: SupervisionQuestion,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<SupervisedNode | undefined> {
    const subject = this.#namespace.subjects.question(node)
    options.signal?.throwIfAborted()
    try {
      const { data } = await this.#connection.request(subject, encodeValue(question), options)
      return decodeValue(data) as SupervisedNode
    } catch (error) {
      if (options.signal?.aborted === true) throw error
      const translated = translate(error, { what: `ask node '${node}'`, subject })
      // Nobody listens there, or whoever listens is not able to answer.
      if (isRuntimeError(translated, 'STORE_UNAVAILABLE')) return undefined
      throw translated
    }
  }

  async answer(node: string, answer: (question: SupervisionQuestion) => SupervisedNode): Promise<() => void> {
    const subject = this.#namespace.subjects.question(node)
    let refusal: Error | undefined
    const subscription = this.#connection.nc.subscribe(subject, {
      callback: (error, msg) => {
        if (error === null) respond(msg, answer)
        else refusal = error
      },
    })
    try {
      // The server has taken or refused the subscription when it answers this.
      await this.#connection.nc.flush()
      if (refusal !== undefined) throw refusal
    } catch (error) {
      throw translate(error, { what: `answer questions to node '${node}'`, subject })
    }
    return () => subscription.unsubscribe()
  }
}

/**
 * Answers what is a question: anyone can write there. Who has asked what cannot be answered hears nothing, as from a node
 * that does not answer.
 */
function respond(msg: Msg, answer: (question: SupervisionQuestion) => SupervisedNode): void {
  try {
    const question = decodeValue(msg.data)
    if (isObject(question)) msg.respond(encodeValue(answer(question as unknown as SupervisionQuestion)))
  } catch {
    // What is thrown in a callback ends the reading of the connection.
  }
}

interface StreamInfo {
  readonly state: { readonly subjects?: Readonly<Record<string, number>> }
}
