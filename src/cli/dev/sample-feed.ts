/**
 * The sample feed: real webhooks of GitHub, published as GitHub's deliveries would be by whatever receives them, and
 * the trigger that turns each into an event of the pull request it is about.
 *
 * Exactly once, whatever is killed when: a webhook is stored at its own position of the stream (payload i is message
 * i + 1), taken from there in order, and acknowledged when its start and its event are durable. One that comes again
 * after a crash carries the same position, so that its instance takes it for a repetition. What is no webhook, or none
 * that GitHub sends, is kept among the dead letters instead.
 */
import { isRuntimeError, RuntimeError } from '../../../actors/errors.ts'
import type { Clock } from '../../../actors/ports.ts'
import { pullRequest } from '../../../actors/workflows/pull-request.ts'
import { toPullRequestEvent } from '../../../actors/workflows/pull-request-events.ts'
import { loadFeed, type WebhookDelivery } from '../../../actors/workflows/pull-request-feed.ts'
import type { Client } from '../../client/client.ts'
import type { InstanceHandle } from '../../client/instance-handle.ts'
import type { NatsConnection } from '../../nats/connection.ts'
import { DeadLetters } from '../../nats/dead-letters.ts'
import { openNamespace } from '../../nats/provision.ts'
import { openSource, type OutsideMessage, type Source, type SourceMessage } from '../../nats/source.ts'
import { pause } from '../../nats/wait.ts'

/** What webhooks are published on; the name of the event follows. */
export const webhookSubject = 'github.webhook'

const webhookStream = 'github_webhooks'

export interface SampleFeedOptions {
  readonly client: Client
  readonly clock: Clock
  readonly connection: NatsConnection
  readonly namespace: string
  /** How long to wait before each webhook. */
  readonly paceMs: number
}

/** Hears of a message that could not be applied, once it is among the dead letters. */
export type OnRefused = (position: number, error: RuntimeError) => void

export interface SampleFeed {
  /** How many webhooks were delivered before this opening. */
  readonly deliveredBefore: number
  /** The stream that keeps what cannot be applied. */
  readonly deadLetters: string
  /** How many there are. */
  readonly total: number
  /** Delivers what is left, then what others publish on the subject, until the signal aborts. */
  run(onRefused: OnRefused, signal: AbortSignal): Promise<void>
}

/**
 * Opens the feed where it stopped.
 *
 * @throws RuntimeError `DEPENDENCY_MISSING` when the published payloads are not installed; as `openSource`
 */
export async function openSampleFeed(options: SampleFeedOptions): Promise<SampleFeed> {
  const { connection, namespace } = options
  const deliveries = loadFeed()
  const source = await openSource(connection, {
    reader: `holdfast_${namespace}`,
    stream: webhookStream,
    subjects: [`${webhookSubject}.*`],
  })
  const found = await openNamespace(connection, namespace)
  const deadLetters = new DeadLetters(connection, found)
  const { stored, taken } = await source.progress()
  return {
    deadLetters: found.subjects.deadLetterStream,
    deliveredBefore: Math.min(taken, deliveries.length),
    total: deliveries.length,
    async run(onRefused, signal) {
      // Both end when one fails.
      const failing = new AbortController()
      const ending = AbortSignal.any([signal, failing.signal])
      const parts = [
        fill(source, deliveries, stored, ending, options),
        source.consume(message => takeOrKeep(message, options.client, deadLetters, onRefused), ending),
      ]
      for (const part of parts) part.catch((error: unknown) => failing.abort(error))
      await Promise.allSettled(parts)
      if (failing.signal.aborted && !signal.aborted) throw failing.signal.reason
    },
  }
}

/** Publishes what the stream does not have yet. */
async function fill(
  source: Source,
  deliveries: readonly WebhookDelivery[],
  stored: number,
  signal: AbortSignal,
  { clock, paceMs }: SampleFeedOptions,
): Promise<void> {
  for (const [index, delivery] of deliveries.entries()) {
    if (index < stored) continue
    if (paceMs > 0) await pause(clock, paceMs, signal)
    await appendOnce(source, index, toMessage(delivery), signal, clock)
  }
}

async function appendOnce(
  source: Source,
  index: number,
  message: OutsideMessage,
  signal: AbortSignal,
  clock: Clock,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    try {
      await source.append(index, message, signal)
      return
    } catch (error) {
      if (!isRuntimeError(error) || !error.retryable) throw error
    }
    await pause(clock, 200, signal)
  }
}

function toMessage({ id, name, payload }: WebhookDelivery): OutsideMessage {
  return {
    subject: `${webhookSubject}.${name}`,
    headers: { 'X-GitHub-Event': name, 'X-GitHub-Delivery': id },
    payload: new TextEncoder().encode(JSON.stringify(payload)),
  }
}

async function takeOrKeep(
  message: SourceMessage,
  client: Client,
  deadLetters: DeadLetters,
  onRefused: OnRefused,
): Promise<void> {
  try {
    await take(message, client)
  } catch (error) {
    if (!isRuntimeError(error) || error.retryable || !isAboutTheMessage(error)) throw error
    const { payload, position, subject } = message
    const { code, message: reason } = error
    await deadLetters.keep({ code, data: payload, reason, seq: position, stream: webhookStream, subject })
    onRefused(position, error)
  }
}

/** The trigger: one webhook becomes a start, which does nothing where the instance exists, and an event. */
async function take(message: SourceMessage, client: Client): Promise<void> {
  const webhook = readWebhook(message)
  const mapped = toPullRequestEvent(webhook.name, webhook.payload)
  // About something else than pull requests: nobody's business here.
  if (mapped === undefined) return
  const handle = await started(client, mapped.id, mapped.input)
  await handle.send(mapped.event, {
    id: webhook.deliveryId,
    cause: message.subject,
    source: { name: 'github', position: message.position },
  })
}

async function started(
  client: Client,
  id: string,
  input: { readonly repository: string; readonly number: number },
): Promise<InstanceHandle<typeof pullRequest>> {
  try {
    return await client.start(pullRequest, { id, input, cause: webhookSubject })
  } catch (error) {
    // It was started by hand, with another input. Its events are its events.
    if (isRuntimeError(error, 'INSTANCE_EXISTS')) return client.instance(pullRequest, id)
    throw error
  }
}

function readWebhook({ headers, payload }: SourceMessage): {
  readonly deliveryId: string
  readonly name: string
  readonly payload: unknown
} {
  const { 'X-GitHub-Delivery': deliveryId, 'X-GitHub-Event': name } = headers
  if (deliveryId === undefined || name === undefined) {
    throw new RuntimeError(
      'EVENT_INVALID',
      'a webhook needs the headers X-GitHub-Event and X-GitHub-Delivery',
    )
  }
  try {
    return { deliveryId, name, payload: JSON.parse(new TextDecoder().decode(payload)) }
  } catch (cause) {
    throw new RuntimeError('EVENT_INVALID', 'the payload of a webhook must be JSON', { cause })
  }
}

/** Another attempt, or another day, would not change it, and those behind it shall not wait for it. */
function isAboutTheMessage({ code }: RuntimeError): boolean {
  return ['ENVELOPE_MALFORMED', 'EVENT_INVALID', 'ID_INVALID', 'INPUT_INVALID', 'PAYLOAD_TOO_LARGE'].includes(
    code,
  )
}
