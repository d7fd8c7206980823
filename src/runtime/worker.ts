/**
 * A worker: does what remote activities ask for.
 *
 * ```
 *            pulled              the handler has ended            stored
 *  (queue) ─────────▶ at work ───────────────────────▶ telling ─────────▶ gone
 *     ▲                 │  │                              │
 *     │ the worker dies │  │ recalled: the signal aborts, │
 *     │ or stops        │  ▼ nothing is told              │
 *     └─────────────────┘ ending ──▶ gone                 │ cannot be told now: tried again
 *                            └──▶ abandoned               └──▶ telling
 *               the handler does not end within its grace
 * ```
 *
 * A task is acknowledged after its result is stored, and renewed until then, however long that takes, by one timer for
 * all. If the worker dies, its tasks come to another one after the acknowledgement wait. If it only seemed dead, both may
 * tell a result: the inbox keeps the first, and the record takes one. A task that comes again to the worker that is at it
 * already changes nothing. One that has come too often has killed a worker each time: its activity fails instead.
 *
 * A heartbeat proves more than a renewal: that the handler is alive, not only the process. Its node waits for it; see
 * actors/remotes.ts.
 */
import { RuntimeError } from '../../actors/errors.ts'
import type { LeafOutcome } from '../../actors/leaf-outcome.ts'
import { plainError } from '../../actors/plain-error.ts'
import type { Clock, ReceivedTask, TaskConsumer, TaskMessage, TimerHandle } from '../../actors/ports.ts'
import type { TaskName } from '../../actors/remote-activity.ts'
import { systemClock } from '../clock.ts'
import { openWorkerTransport, type WorkerTransport } from '../nats/transport.ts'
import { formatAddress } from '../workflow/address.ts'
import type { TaskContext } from '../workflow/remote-activity.ts'
import { Job } from './job.ts'
import { rootLog, type Log } from './log.ts'
import { persistently } from './persistently.ts'
import {
  resolveWorkerOptions,
  type AnyHandler,
  type ResolvedWorkerOptions,
  type WorkerOptions,
} from './worker-options.ts'

/** What a worker says about itself. */
export interface WorkerStatus {
  readonly namespace: string
  /** Tasks at work, by activity. */
  readonly running: Readonly<Record<string, number>>
  /** Handlers that go on though their time to end is over: they ignore their signal, and no longer count as running. */
  readonly abandoned: number
}

/**
 * Starts a worker. Resolved once it asks for tasks.
 *
 * @throws RuntimeError `OPTIONS_INVALID`; `CONNECTION_FAILED`, `JETSTREAM_DISABLED`, `PERMISSION_DENIED`,
 * `SERVER_UNSUPPORTED`; `NAMESPACE_NOT_FOUND` when no node of it has ever run
 */
export async function createWorker<TInputs>(options: WorkerOptions<TInputs>): Promise<Worker> {
  const resolved = resolveWorkerOptions(options)
  const { ackWaitMs, connection, namespace } = resolved
  const transport = await openWorkerTransport({ ackWaitMs, clock: systemClock, connection, namespace })
  const worker = new Worker(resolved, transport, rootLog(resolved.log), systemClock)
  try {
    await worker.start()
    return worker
  } catch (error) {
    await worker.stop()
    throw error
  }
}

/** A running worker. */
export class Worker implements AsyncDisposable {
  readonly #options: ResolvedWorkerOptions
  readonly #transport: WorkerTransport
  readonly #log: Log
  readonly #clock: Clock
  /** By activity. */
  readonly #consumers = new Map<string, TaskConsumer>()
  /** By activity and by the name of the task. */
  readonly #jobs = new Map<string, Map<string, Job>>()
  /** Settles what cannot be done. */
  readonly #background = new Set<Promise<void>>()
  #abandoned = 0
  #renewal: TimerHandle | undefined
  #isOver = false
  #stopping: Promise<void> | undefined

  /** Use {@link createWorker}. */
  constructor(options: ResolvedWorkerOptions, transport: WorkerTransport, log: Log, clock: Clock) {
    this.#options = options
    this.#transport = transport
    this.#log = log
    this.#clock = clock
  }

  /** Begins to ask for tasks. */
  async start(): Promise<void> {
    const { concurrency, handlers } = this.#options
    for (const [activity, handler] of handlers) {
      this.#jobs.set(activity, new Map())
      const consumer = await this.#transport.tasks.open(activity, {
        task: message => this.#take(activity, handler, message),
        stop: task => this.#recalled(activity, task),
        interrupted: error =>
          this.#log.warn({ err: error, activity }, 'no tasks can be asked for at present'),
      })
      this.#consumers.set(activity, consumer)
    }
    for (const consumer of this.#consumers.values()) consumer.pull(concurrency)
    this.#renewLater()
  }

  status(): WorkerStatus {
    const running = Object.fromEntries(Array.from(this.#jobs, ([activity, jobs]) => [activity, jobs.size]))
    return { namespace: this.#options.namespace, running, abandoned: this.#abandoned }
  }

  /**
   * Takes no more tasks, lets those at work finish within `drainTimeout`, aborts the rest and gives them back to other
   * workers at once, and closes the connection. Idempotent.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #stop(): Promise<void> {
    await Promise.all(Array.from(this.#consumers.values(), consumer => consumer.close()))
    await this.#finished()
    this.#isOver = true
    this.#renewal?.cancel()
    for (const jobs of this.#jobs.values()) {
      for (const job of jobs.values()) job.giveBack(new RuntimeError('ABORTED', 'the worker stops'))
      jobs.clear()
    }
    await this.#transport.close()
  }

  /** Resolved once nothing is at work, or the time for that is over. */
  async #finished(): Promise<void> {
    let timer: TimerHandle | undefined
    const late = new Promise<void>(resolve => {
      timer = this.#clock.setTimer(this.#options.drainTimeoutMs, resolve)
    })
    const done = (async () => {
      while (this.#background.size > 0) await Promise.all(this.#background)
    })()
    await Promise.race([done, late])
    timer?.cancel()
  }

  #take(activity: string, handler: AnyHandler, message: TaskMessage): void {
    const { content, deliveries } = message
    const jobs = this.#jobs.get(activity)!
    const job = 'malformed' in content ? undefined : jobs.get(keyOf(content))
    if (job !== undefined) {
      job.delivered(message)
      this.#consumers.get(activity)!.pull(1)
      return
    }
    let work: Promise<void>
    if ('malformed' in content) work = this.#bury(message, 'VALUE_MALFORMED', content.malformed.message)
    else if (deliveries > this.#options.maxDeliveries) work = this.#giveUp(content, message)
    else work = this.#work(handler, content, message)
    const tracked = work.finally(() => {
      this.#background.delete(tracked)
      this.#consumers.get(activity)!.pull(1)
    })
    this.#background.add(tracked)
  }

  /** Never rejects. */
  async #work(handler: AnyHandler, task: ReceivedTask, message: TaskMessage): Promise<void> {
    const jobs = this.#jobs.get(task.activity)!
    const key = keyOf(task)
    const job = this.#newJob(message, task)
    jobs.set(key, job)
    // The worker that had it before may have come further than whoever has asked for it knew.
    const lastHeartbeat =
      message.deliveries > 1 ? await this.#newestDetails(task, message) : task.lastHeartbeat
    if (job.isWanted) {
      const outcome = await this.#handle(handler, job, { ...task, lastHeartbeat })
      if (outcome !== undefined && job.isWanted) await this.#settle(job, outcome)
    }
    job.end()
    if (jobs.get(key) === job) jobs.delete(key)
  }

  /** What comes of its handler; undefined when that is not waited for any more. */
  async #handle(handler: AnyHandler, job: Job, task: ReceivedTask): Promise<LeafOutcome | undefined> {
    let isRunning = true
    const handling = outcomeOf(handler, this.#contextOf(task, job)).finally(() => {
      isRunning = false
    })
    const outcome = await Promise.race([handling, job.cut])
    if (!isRunning) return outcome
    const { activity, attempt, instance } = task
    const ids = { workflow: instance.workflow, instance: instance.id, activity, attempt }
    this.#log.warn(ids, 'a handler ignores its signal: abandoned')
    this.#abandoned++
    void handling.then(() => {
      this.#abandoned--
    })
    return outcome
  }

  #contextOf(task: ReceivedTask, job: Job): TaskContext<never> {
    const { activity, attempt, idempotencyKey, input, instance, lastHeartbeat } = task
    const { workflow, id } = instance
    const log = this.#log.child({ workflow, instance: id, activity, attempt })
    const heartbeat = (details?: unknown) => job.heartbeat(details)
    const { signal } = job
    return { attempt, heartbeat, idempotencyKey, input: input as never, lastHeartbeat, log, signal }
  }

  #newJob(message: TaskMessage, task: Pick<ReceivedTask, 'silenceMs'>): Job {
    return new Job(message, task, { clock: this.#clock, graceMs: this.#options.graceMs })
  }

  /** As far as they can be read: else those that the task came with. */
  async #newestDetails({ lastHeartbeat }: ReceivedTask, message: TaskMessage): Promise<unknown> {
    try {
      return (await message.newestDetails()) ?? lastHeartbeat
    } catch (error) {
      this.#log.warn({ err: error }, 'it cannot be read how far the worker before has come')
      return lastHeartbeat
    }
  }

  /** Tells how it ended, until that is stored or nobody wants to know. */
  async #settle(job: Job, outcome: LeafOutcome): Promise<void> {
    const isOver = () => this.#isOver || !job.isWanted
    const tell = (told: LeafOutcome) =>
      persistently(
        () => job.settle(told),
        this.#clock,
        isOver,
        error => this.#log.warn({ err: error }, 'a result could not be told'),
      )
    const failure = await tell(outcome)
    if (failure === undefined) return
    const failed = await tell({
      status: 'error',
      error: plainError(outcome.status === 'error' ? outcome.error : failure),
    })
    // What is left comes again, here or elsewhere, as often as tasks may.
    if (failed !== undefined) this.#log.error({ err: failed }, 'a result cannot be told')
  }

  /** It has come too often. */
  async #giveUp(task: ReceivedTask, message: TaskMessage): Promise<void> {
    const { activity, attempt, instance } = task
    const { maxDeliveries } = this.#options
    const reason = `${formatAddress(instance)}: attempt ${attempt} of activity '${activity}' was given to workers ${maxDeliveries} times, and none has told how it ended`
    const kept = await this.#keep(message, 'DELIVERIES_EXCEEDED', reason)
    if (!kept) return
    const error = new RuntimeError('DELIVERIES_EXCEEDED', reason, {
      fields: { activity, attempt, maxDeliveries },
    })
    await this.#settle(this.#newJob(message, {}), { status: 'error', error })
  }

  /** It cannot be understood: nobody can be told. */
  async #bury(message: TaskMessage, code: string, reason: string): Promise<void> {
    if (await this.#keep(message, code, reason)) message.drop()
  }

  /** Keeps it among the dead letters. False when it must come again. */
  async #keep(message: TaskMessage, code: string, reason: string): Promise<boolean> {
    this.#log.error({ code, reason }, 'a task was not done: kept among the dead letters')
    const failure = await persistently(
      () => message.deadLetter(code, reason),
      this.#clock,
      () => this.#isOver,
      error => this.#log.error({ err: error }, 'a dead letter could not be kept'),
    )
    return failure === undefined && !this.#isOver
  }

  #recalled(activity: string, task: TaskName): void {
    const reason = new RuntimeError('ABORTED', `activity '${activity}' is no longer wanted`)
    this.#jobs.get(activity)?.get(keyOf(task))?.recall(reason)
  }

  #renewLater(): void {
    const waits = Array.from(this.#consumers.values(), ({ ackWaitMs }) => ackWaitMs)
    this.#renewal = this.#clock.setTimer(Math.min(...waits) / 3, () => {
      for (const jobs of this.#jobs.values()) {
        for (const job of jobs.values()) job.renew()
      }
      this.#renewLater()
    })
  }
}

/** What comes of the handler, one that throws before its first await included. */
async function outcomeOf(handler: AnyHandler, context: TaskContext<never>): Promise<LeafOutcome> {
  try {
    return { status: 'done', output: await handler(context) }
  } catch (error) {
    return { status: 'error', error }
  }
}

function keyOf({ attempt, incarnation, instance }: TaskName): string {
  return `${formatAddress(instance)} ${incarnation} ${attempt}`
}
