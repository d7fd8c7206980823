/**
 * The work queue of remote activities, as a worker empties it.
 *
 * All workers of an activity share one durable consumer, made by the first of them. A worker asks for as many tasks as
 * it has room for; each request stands at the server until it is met or its time is over, and is made again then. Few stand
 * at a time, as the server takes no more than 512 of all workers together: room that comes free meanwhile is asked for
 * together when one of them is met. When the connection breaks, the server forgets the requests, so they are made again,
 * too. A consumer that is gone (somebody has deleted it) is made again before the next request.
 */
import { AckPolicy, createInbox, DeliverPolicy } from 'nats'
import type { ConsumerInfo, Msg, Subscription } from 'nats'
import type { TaskConsumer, TaskListener, TaskQueue, TimerHandle } from '../../actors/ports.ts'
import type { NatsConnection } from './connection.ts'
import { DeadLetters } from './dead-letters.ts'
import { apiErrorOf, apiErrors, translate } from './errors.ts'
import type { Publisher } from './group-publisher.ts'
import type { Namespace } from './provision.ts'
import { parseTaskName } from './subjects.ts'
import { NatsTaskMessage, type TaskMessageContext } from './task-message.ts'

export interface NatsTaskQueueOptions {
  /** Used when the consumer is made; those who come later use what they find. Milliseconds. */
  readonly ackWaitMs: number
  /** Stores the results, maybe several together. Default the connection. */
  readonly publisher?: Publisher | undefined
}

/** How long a request for tasks stands. */
const expiresMs = 10_000
/** How much longer it is waited for: the server may be slow. */
const graceMs = 2_000
const retryMs = 250
/** Of one worker. */
const mostRequests = 4

export class NatsTaskQueue implements TaskQueue {
  readonly #context: TaskMessageContext
  readonly #ackWaitMs: number

  constructor(connection: NatsConnection, namespace: Namespace, options: NatsTaskQueueOptions) {
    const { ackWaitMs, publisher = connection } = options
    const deadLetters = new DeadLetters(connection, namespace)
    this.#context = { connection, deadLetters, namespace, publisher }
    this.#ackWaitMs = ackWaitMs
  }

  async open(activity: string, listener: TaskListener): Promise<TaskConsumer> {
    const { connection, namespace } = this.#context
    const { subjects } = namespace
    try {
      const ensure = () => ensureConsumer(connection, namespace, activity, this.#ackWaitMs)
      const ackWaitMs = (await ensure()).config.ack_wait! / 1e6
      const consumer = new NatsTaskConsumer({ ...this.#context, ackWaitMs, activity, ensure, listener })
      // The server has taken or refused the subscriptions when it answers this.
      await connection.nc.flush()
      consumer.requireAllowed()
      return consumer
    } catch (error) {
      throw translate(error, {
        what: `take tasks of activity '${activity}'`,
        subject: subjects.tasks(activity),
      })
    }
  }
}

async function ensureConsumer(
  { jsm }: NatsConnection,
  { subjects }: Namespace,
  activity: string,
  ackWaitMs: number,
): Promise<ConsumerInfo> {
  const stream = subjects.taskStream
  try {
    return await jsm.consumers.info(stream, activity)
  } catch (error) {
    if (apiErrorOf(error) !== apiErrors.consumerNotFound) throw error
  }
  return jsm.consumers.add(stream, {
    ack_policy: AckPolicy.Explicit,
    ack_wait: ackWaitMs * 1e6,
    deliver_policy: DeliverPolicy.All,
    durable_name: activity,
    filter_subject: subjects.tasks(activity),
    // Each worker takes what it has room for: how many there are in all is nobody's concern.
    max_ack_pending: -1,
    // Who receives a task too often keeps it among the dead letters: the server would only forget it.
    max_deliver: -1,
  })
}

interface TaskConsumerContext extends TaskMessageContext {
  readonly ackWaitMs: number
  readonly activity: string
  /** Makes the consumer unless it is there. */
  readonly ensure: () => Promise<unknown>
  readonly listener: TaskListener
}

/** A request for tasks that stands at the server. */
interface StandingRequest {
  remaining: number
  readonly subscription: Subscription
  /** When it is over at the latest, whatever the server says. */
  readonly timer: TimerHandle
}

class NatsTaskConsumer implements TaskConsumer {
  readonly ackWaitMs: number
  readonly #context: TaskConsumerContext
  readonly #requests = new Set<StandingRequest>()
  readonly #stops: Subscription
  readonly #stopReconnected: () => void
  /** Not asked for yet. */
  #wanted = 0
  #isScheduled = false
  #retry: TimerHandle | undefined
  #isClosed = false
  #refusal: Error | undefined

  constructor(context: TaskConsumerContext) {
    this.#context = context
    this.ackWaitMs = context.ackWaitMs
    const { connection, namespace, activity } = context
    this.#stops = connection.nc.subscribe(namespace.subjects.stops(activity), {
      callback: (error, msg) => {
        if (error === null) this.#stopped(msg)
        else this.#refusal = error
      },
    })
    this.#stopReconnected = connection.onReconnected(() => {
      for (const request of this.#requests) this.#over(request)
    })
  }

  /** @throws what the server refused the subscription with */
  requireAllowed(): void {
    if (this.#refusal !== undefined) throw this.#refusal
  }

  pull(count: number): void {
    this.#wanted += count
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#ask()
    })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#stopReconnected()
    this.#retry?.cancel()
    const subscriptions = [this.#stops, ...Array.from(this.#requests, request => request.subscription)]
    for (const { timer } of this.#requests) timer.cancel()
    this.#requests.clear()
    if (this.#context.connection.nc.isClosed()) return
    // What is on its way still comes in, and goes back.
    await Promise.allSettled(subscriptions.map(subscription => subscription.drain()))
  }

  #ask(): void {
    const { activity, connection, namespace } = this.#context
    const { clock, inboxPrefix, nc } = connection
    if (this.#wanted === 0 || this.#retry !== undefined || this.#isClosed || nc.isClosed()) return
    if (this.#requests.size >= mostRequests) return
    const inbox = createInbox(inboxPrefix)
    const request: StandingRequest = {
      remaining: this.#wanted,
      subscription: nc.subscribe(inbox, {
        callback: (error, msg) => {
          if (error !== null) this.#failed(request, error)
          // What comes on the inbox itself is not a task but the server ending the request.
          else if (msg.subject === inbox) this.#ended(request, msg)
          else this.#received(request, msg)
        },
      }),
      timer: clock.setTimer(expiresMs + graceMs, () => this.#over(request)),
    }
    this.#requests.add(request)
    this.#wanted = 0
    const question = JSON.stringify({ batch: request.remaining, expires: expiresMs * 1e6 })
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${namespace.subjects.taskStream}.${activity}`
    nc.publish(subject, question, { reply: inbox })
  }

  #received(request: StandingRequest, msg: Msg): void {
    const message = new NatsTaskMessage(msg, this.#context)
    if (this.#isClosed) {
      message.giveBack()
      return
    }
    request.remaining -= 1
    if (request.remaining === 0) this.#over(request)
    this.#context.listener.task(message)
  }

  /** The server has ended it. */
  #ended(request: StandingRequest, { headers }: Msg): void {
    const { code = 0, description = '' } = headers ?? {}
    // 408: its time is over. Anything else: the consumer is gone, or cannot be asked now.
    if (code === 408) this.#over(request)
    else this.#failed(request, new Error(`the server ended a request for tasks: ${code} ${description}`))
  }

  #failed(request: StandingRequest, error: Error): void {
    this.#over(request)
    if (!this.#isClosed) this.#recover(error)
  }

  /** What of it was not met is asked for again. */
  #over(request: StandingRequest): void {
    if (!this.#requests.delete(request)) return
    request.timer.cancel()
    request.subscription.unsubscribe()
    this.pull(request.remaining)
  }

  /** Asks no more until the consumer is there. */
  #recover(error: Error): void {
    if (this.#retry !== undefined) return
    this.#context.listener.interrupted(error)
    const goOn = () => {
      this.#retry = undefined
      this.#ask()
    }
    const failed = (failure: Error) => {
      this.#retry = undefined
      if (!this.#isClosed) this.#recover(failure)
    }
    this.#retry = this.#context.connection.clock.setTimer(retryMs, () => {
      void this.#context.ensure().then(goOn, failed)
    })
  }

  #stopped({ subject }: Msg): void {
    const task = parseTaskName(subject)
    if (task !== undefined && !this.#isClosed) this.#context.listener.stop(task)
  }
}
