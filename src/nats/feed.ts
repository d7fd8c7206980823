/**
 * The messages of one consumer without a gap, or the news that there may be one.
 *
 * A consumer counts what it delivers. A message lost on the way (a connection that broke, a client too slow) would
 * come again only after the acknowledgement wait, behind later ones: order would be lost, and with it envelopes. So
 * a feed ends at the first doubt, and its owner opens the next one on a consumer that begins where order is certain.
 */
import { RuntimeError } from '../../actors/errors.ts'
import type { ConsumerInfo, ConsumerMessages, JsMsg } from 'nats'
import type { NatsConnection } from './connection.ts'
import { translate } from './errors.ts'

/**
 * How long a request for messages stands, and how often the server shows that it still does. When the server that leads
 * a consumer dies, nothing else tells that the request died with it: it is made again after two of these.
 */
const expiresMs = 30_000
const heartbeatMs = 2_000

export interface FeedListener {
  /** A message, in the order of the consumer. Must not throw. */
  message(msg: JsMsg): void
  /** The feed has ended: nothing more comes from it. */
  interrupted(error: Error): void
}

export interface Feed {
  /** Tells the listener nothing more. */
  close(): void
}

/**
 * Takes the messages of a consumer that has not delivered anything yet.
 *
 * @param prefetch how many messages may be on their way or in memory
 * @throws RuntimeError when the consumer cannot be reached
 */
export async function openFeed(
  connection: NatsConnection,
  consumer: ConsumerInfo,
  prefetch: number,
  listener: FeedListener,
): Promise<Feed> {
  const attempted = {
    what: `read ${consumer.stream_name}`,
    subject: `$JS.API.CONSUMER.MSG.NEXT.${consumer.stream_name}`,
  }
  let messages: ConsumerMessages | undefined
  let isOpening = true
  let end: Error | 'closed' | undefined
  let delivered = 0
  const finish = (how: Error | 'closed') => {
    if (end !== undefined) return
    end = how
    stopReconnected()
    stopClosed()
    messages?.stop()
    if (how !== 'closed' && !isOpening) listener.interrupted(how)
  }
  const stopReconnected = connection.onReconnected(() => finish(lost('the connection broke')))
  const stopClosed = connection.onClosed(finish)
  const callback = (msg: JsMsg) => {
    if (end !== undefined) return
    delivered += 1
    if (msg.info.deliverySequence === delivered) listener.message(msg)
    else finish(lost(`message ${delivered} of ${consumer.name} did not arrive`))
  }
  try {
    // It was created a moment ago: asking for it once more would only cost time.
    messages = await connection.nc.jetstream().consumers.getPullConsumerFor(consumer).consume({
      // A consumer that is gone is for the owner to judge; after missed heartbeats it is enough to ask again.
      abort_on_missing_resource: true,
      bind: true,
      callback,
      expires: expiresMs,
      idle_heartbeat: heartbeatMs,
      max_messages: prefetch,
    })
    void messages.closed().then(error => {
      finish(error instanceof Error ? translate(error, attempted) : lost('the server ended the request'))
    })
    // It ended while it opened: nobody has heard of that yet.
    if (end !== undefined) messages.stop()
    if ((end as unknown) instanceof Error) throw end as unknown as Error
    isOpening = false
  } catch (error) {
    finish('closed')
    throw translate(error, attempted)
  }
  return { close: () => finish('closed') }
}

function lost(reason: string): RuntimeError {
  return new RuntimeError('STORE_UNAVAILABLE', `messages may have been lost: ${reason}`, { retryable: true })
}
