import type { Msg } from 'nats'
import { RuntimeError } from '../../actors/errors.ts'
import type { LeafOutcome } from '../../actors/leaf-outcome.ts'
import type { TaskMessage } from '../../actors/ports.ts'
import type { Beat } from '../../actors/remote-activity.ts'
import { encodeEnvelope } from '../codec/envelope.ts'
import { decodeTask, encodeBeat, type DecodedTask } from '../codec/task.ts'
import { partitionOf } from '../workflow/address.ts'
import type { NatsConnection } from './connection.ts'
import type { DeadLetters } from './dead-letters.ts'
import { placeOf } from './delivery.ts'
import type { Publisher } from './group-publisher.ts'
import { Headers } from './headers.ts'
import { requireFitting } from './payload.ts'
import type { Namespace } from './provision.ts'
import { publishOnce } from './publish.ts'
import { headerText } from './record-headers.ts'
import { NatsSnapshots } from './snapshots.ts'

export interface TaskMessageContext {
  readonly connection: NatsConnection
  readonly deadLetters: DeadLetters
  readonly namespace: Namespace
  /** Stores the results, maybe several together. */
  readonly publisher: Publisher
}

const encoder = new TextEncoder()
const ack = encoder.encode('+ACK')
const negative = encoder.encode('-NAK')
const term = encoder.encode('+TERM')
const working = encoder.encode('+WPI')

/** A task that a worker was given, until it is settled. */
export class NatsTaskMessage implements TaskMessage {
  readonly content: TaskMessage['content']
  readonly deliveries: number
  readonly #context: TaskMessageContext
  readonly #decoded: DecodedTask | undefined
  readonly #msg: Msg

  constructor(msg: Msg, context: TaskMessageContext) {
    this.#msg = msg
    this.#context = context
    this.deliveries = placeOf(msg.reply!).deliveries
    const decoded = readTask(msg, context.namespace)
    this.content = decoded instanceof Error ? { malformed: decoded } : decoded.task
    this.#decoded = decoded instanceof Error ? undefined : decoded
  }

  async settle(outcome: LeafOutcome, details?: unknown): Promise<void> {
    const { connection, publisher } = this.#context
    const { subject, answer } = this.#decoded!
    const envelope = answer(outcome, connection.clock.now(), details)
    const data = encodeEnvelope(envelope)
    const headers = Headers.of({ 'Nats-Msg-Id': headerText(envelope.id) })
    const what = `tell the result of ${this.#msg.subject}`
    await publishOnce(connection, what, { data, headers, subject }, undefined, publisher)
    // Should it be lost, the task comes again and its result is dropped: it is waited for so that this is rare.
    await connection.request(this.#msg.reply!, ack).catch(() => {})
  }

  beat(beat: Pick<Beat, 'details' | 'isBeginning'>): void {
    const { connection } = this.#context
    const { heartbeat: subject } = this.#decoded!
    if (subject === undefined) return
    const data = encodeBeat(beat)
    requireFitting(
      connection,
      { what: `tell how far ${this.#msg.subject} is`, subject },
      data,
      Headers.of({}),
    )
    connection.send(subject, data)
  }

  async newestDetails(): Promise<unknown> {
    const { connection, namespace } = this.#context
    const { incarnation, instance } = this.#decoded!.task
    const stored = await new NatsSnapshots(connection, namespace).get(instance)
    return stored?.record.activities.find(activity => activity.incarnation === incarnation)?.lastHeartbeat
  }

  working(): void {
    this.#context.connection.send(this.#msg.reply!, working)
  }

  giveBack(): void {
    this.#context.connection.send(this.#msg.reply!, negative)
  }

  drop(): void {
    this.#context.connection.send(this.#msg.reply!, term)
  }

  async deadLetter(code: string, reason: string): Promise<void> {
    const { deadLetters, namespace } = this.#context
    const { data, reply, subject } = this.#msg
    const { seq } = placeOf(reply!)
    await deadLetters.keep({ code, data, reason, seq, stream: namespace.subjects.taskStream, subject })
  }
}

/** A worker must not be made to publish where only it may: what it says goes to the instance that has asked. */
function readTask({ data }: Msg, { partitions, subjects }: Namespace): DecodedTask | Error {
  try {
    const decoded = decodeTask(data)
    const { instance } = decoded.task
    const partition = partitionOf(instance, partitions)
    const { heartbeat, path, subject, task } = decoded
    if (subject !== subjects.envelope(partition, instance)) return astray('reply.subject', subject)
    const isOwn = heartbeat === undefined || heartbeat === subjects.beat(partition, { ...task, path })
    return isOwn ? decoded : astray('reply.heartbeat', heartbeat)
  } catch (error) {
    return error as Error
  }
}

function astray(field: string, subject: string): RuntimeError {
  return new RuntimeError('VALUE_MALFORMED', `${field} is not that of its instance`, {
    fields: { field, subject },
  })
}
