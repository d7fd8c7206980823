/**
 * Reads the newest message of every subject of a stream, or every message, once, with a consumer of its own that is
 * deleted after.
 *
 * Everything stored when the scan began is seen. The end needs care: while others write, the consumer never says
 * that nothing is pending, and a message it was about to deliver can be displaced by newer ones of its subject,
 * which come later. So once as many have come as there were at the beginning, the stream is asked how far it
 * reaches; whatever was displaced is at or before that.
 *
 * In a cluster the consumer stands on a replica that may lag behind, even by everything. Whoever must miss nothing names
 * a message of the filters that the scan must come to.
 */
import { AckPolicy, createInbox, DeliverPolicy, NatsError, nuid } from 'nats'
import type { Msg } from 'nats'
import { RuntimeError } from '../../actors/errors.ts'
import type { TimerHandle } from '../../actors/ports.ts'
import { onAbort, withSignal } from './wait.ts'
import type { NatsConnection } from './connection.ts'
import { placeOf, type DeliveryPlace } from './delivery.ts'
import { translate } from './errors.ts'

const defaultBatchSize = 1_000
/** Of a million subjects the server takes seconds to find the newest message of each. */
const createTimeoutMs = 30_000
/** So often may the server have something and deliver nothing: each time it has skipped a displaced message. */
const mostEmptyBatches = 100
/** So often may a replica that lags behind have nothing. */
const mostIdleBatches = 10
/** An abandoned consumer goes after this. */
const inactiveThresholdMs = 30_000
/** How long a request for a batch stands. All of it is there, so waiting means that something was removed or displaced. */
const pullMs = 1_000
/** How long the server may be silent within a batch. */
const silenceMs = 5_000

export interface ScanOptions {
  /** Messages asked for at once: a slow reader makes us hold twice as many. Default 1000. */
  readonly batchSize?: number | undefined
  /**
   * Reads every message kept at or after that moment, milliseconds since the epoch, and none that comes later. Default:
   * the newest message of every subject.
   */
  readonly every?: { readonly since: number } | undefined
  /** Subjects to read. More than one needs a server from 2.10. */
  readonly filters: readonly string[]
  /** Leave the payloads out: a header tells their size. */
  readonly headersOnly: boolean
  readonly signal?: AbortSignal | undefined
  /** Sequence of a message of one of these subjects: the scan goes on until it, or one after it, has come. */
  readonly through?: number | undefined
}

export interface ScannedMessage {
  readonly place: DeliveryPlace
  readonly msg: Msg
}

/**
 * The newest message of every subject, in the order of the stream.
 *
 * @throws RuntimeError `STORE_UNAVAILABLE` when something was lost on the way: scan again; the signal's reason
 */
export async function* scanStream(
  connection: NatsConnection,
  stream: string,
  options: ScanOptions,
): AsyncGenerator<ScannedMessage, void, undefined> {
  for await (const batch of scanBatches(connection, stream, options)) {
    for (const message of batch) {
      yield message
      options.signal?.throwIfAborted()
    }
  }
}

/**
 * The same, as many at a time as come together: to hand over each of a million by itself costs as much as to read it.
 *
 * @throws as {@link scanStream}
 */
export async function* scanBatches(
  connection: NatsConnection,
  stream: string,
  options: ScanOptions,
): AsyncGenerator<readonly ScannedMessage[], void, undefined> {
  const { signal } = options
  signal?.throwIfAborted()
  const attempted = { what: `read ${stream}`, subject: options.filters.join(', ') }
  /** Ends the request that is under way when the reader has had enough. */
  const left = new AbortController()
  // Of AbortSignal.any something would be left in a signal that lasts (Node 20).
  const stop = onAbort(signal, () => left.abort(signal!.reason))
  try {
    const consumer = await withSignal(createConsumer(connection, stream, options), signal)
    try {
      yield* readAll(connection, stream, consumer, options, left.signal)
    } finally {
      left.abort()
      // Should this fail, the server removes the consumer by itself after a while.
      connection.jsm.consumers.delete(stream, consumer.name).catch(() => {})
    }
  } catch (error) {
    throw translate(error, attempted)
  } finally {
    stop()
  }
}

async function createConsumer(
  connection: NatsConnection,
  stream: string,
  options: ScanOptions,
): Promise<{ readonly name: string; readonly num_pending: number }> {
  const [first, ...others] = options.filters
  const jsm = await connection.nc.jetstreamManager({ checkAPI: false, timeout: createTimeoutMs })
  return jsm.consumers.add(stream, {
    // With a name of ours and one filter the subject of the request holds both, so that it can be permitted.
    ...(others.length === 0
      ? { name: `scan-${nuid.next()}`, filter_subject: first! }
      : { filter_subjects: [...options.filters] }),
    ack_policy: AckPolicy.None,
    ...(options.every === undefined
      ? { deliver_policy: DeliverPolicy.LastPerSubject }
      : {
          deliver_policy: DeliverPolicy.StartTime,
          opt_start_time: new Date(options.every.since).toISOString(),
        }),
    headers_only: options.headersOnly,
    inactive_threshold: inactiveThresholdMs * 1e6,
    mem_storage: true,
    num_replicas: 1,
  })
}

async function* readAll(
  connection: NatsConnection,
  stream: string,
  consumer: { readonly name: string; readonly num_pending: number },
  { batchSize = defaultBatchSize, every, through }: ScanOptions,
  signal: AbortSignal,
): AsyncGenerator<readonly ScannedMessage[], void, undefined> {
  const pull = (pending: number) => {
    const wanted = Math.max(Math.min(batchSize, pending), 1)
    const coming = pullBatch(connection, `${stream}.${consumer.name}`, wanted, signal)
    // Heard when it is waited for, which it is not when the reader has had enough.
    coming.catch(() => {})
    return { coming, wanted }
  }
  let count = 0
  let pending = consumer.num_pending
  let lastSeq = through
  let emptyBatches = 0
  let next: ReturnType<typeof pull> | undefined
  while (pending > 0 || through !== undefined) {
    const { coming, wanted } = next ?? pull(pending)
    const batch = await coming
    emptyBatches = batch.length === 0 ? emptyBatches + 1 : 0
    if (emptyBatches > (pending > 0 ? mostEmptyBatches : mostIdleBatches)) throw lostOnTheWay(stream)
    const messages: ScannedMessage[] = []
    let isOver = false
    for (const msg of batch) {
      const place = placeOf(msg.reply!)
      count += 1
      if (place.deliverySeq !== count) throw lostOnTheWay(stream)
      messages.push({ place, msg })
      pending = place.pending
      isOver = lastSeq !== undefined && place.seq >= lastSeq
      isOver ||= every !== undefined && count === consumer.num_pending
      if (isOver) break
    }
    // The server fetches the next ones while these are read.
    next = !isOver && batch.length === wanted && pending > 0 ? pull(pending) : undefined
    yield messages
    if (isOver) return
    signal.throwIfAborted()
    // A batch also ends early where the server comes upon a message that was displaced: that says nothing about the rest.
    if (batch.length < wanted) {
      pending = (await connection.jsm.consumers.info(stream, consumer.name)).num_pending
    }
    if (pending > 0 && lastSeq === undefined && count >= consumer.num_pending) {
      lastSeq = (await connection.jsm.streams.info(stream)).state.last_seq
    }
  }
}

/** Asks for that many messages and answers those there are. */
function pullBatch(
  connection: NatsConnection,
  consumer: string,
  wanted: number,
  signal: AbortSignal,
): Promise<readonly Msg[]> {
  const { clock, nc } = connection
  return new Promise((resolve, reject) => {
    const batch: Msg[] = []
    const inbox = createInbox(connection.inboxPrefix)
    const fail = (error: Error) => {
      release()
      reject(error)
    }
    const silent = () => fail(new NatsError('timeout', 'TIMEOUT'))
    let heardAt = clock.monotonic()
    let timer: TimerHandle | undefined
    /** One timer for many messages: it looks how long ago the last of them came. */
    const watch = (delayMs: number) => {
      timer = clock.setTimer(delayMs, () => {
        const leftMs = heardAt + silenceMs - clock.monotonic()
        if (leftMs > 0) watch(leftMs)
        else silent()
      })
    }
    const complete = () => {
      release()
      resolve(batch)
    }
    const subscription = nc.subscribe(inbox, {
      callback: (error, msg) => {
        if (error !== null) return fail(error)
        // What comes on the inbox itself is not a message but the server ending the request.
        if (msg.subject === inbox) {
          const code = String(msg.headers?.code)
          return code === '404' || code === '408' ? complete() : fail(new NatsError(code, '503'))
        }
        heardAt = clock.monotonic()
        if (batch.push(msg) === wanted) complete()
      },
    })
    const stopClosed = connection.onClosed(fail)
    let stopAbort = () => {}
    const release = () => {
      timer?.cancel()
      stopClosed()
      subscription.unsubscribe()
      stopAbort()
    }
    if (signal.aborted) return fail(signal.reason as Error)
    stopAbort = onAbort(signal, () => fail(signal.reason as Error))
    const request = JSON.stringify({ batch: wanted, expires: pullMs * 1e6 })
    try {
      nc.publish(`$JS.API.CONSUMER.MSG.NEXT.${consumer}`, request, { reply: inbox })
    } catch (error) {
      return fail(error as Error)
    }
    watch(silenceMs)
  })
}

function lostOnTheWay(stream: string): RuntimeError {
  return new RuntimeError(
    'STORE_UNAVAILABLE',
    `messages of ${stream} were lost on the way while reading it`,
    {
      retryable: true,
    },
  )
}
