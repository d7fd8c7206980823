import type { MsgHdrs } from 'nats'
import type { NatsConnection, Published } from '../../src/nats/connection.ts'
import { translate } from '../../src/nats/errors.ts'
import { Headers } from '../../src/nats/headers.ts'
import { GroupPublisher, type Publisher } from '../../src/nats/group-publisher.ts'
import { ensureStream, type NeededStream } from '../../src/nats/streams.ts'
import { testConnection } from '../contract/fixtures.ts'
import { freshNamespace, ownServer, sharedServerUrl } from '../support/nats.ts'
import { scratchDir } from '../support/processes.ts'

export interface Message {
  readonly subject: string
  readonly payload?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

/** A message as a stream holds it. */
export interface StoredMessage {
  /** Of the batch it came in; empty when it came alone. */
  readonly batch: string
  readonly headers: MsgHdrs
  readonly seq: number
  readonly sizeBytes: number
  readonly subject: string
}

export interface BatchFixture {
  readonly connection: NatsConnection
  readonly publisher: GroupPublisher
  readonly stream: string
}

/** A stream that takes batches, with all subjects below its name. */
export async function batchFixture(url = sharedServerUrl()): Promise<BatchFixture> {
  const connection = await testConnection(url)
  const stream = freshNamespace()
  const wanted: NeededStream = { name: stream, subjects: [`${stream}.>`], allow_atomic: true }
  await ensureStream(connection.jsm, wanted)
  return { connection, publisher: new GroupPublisher(connection), stream }
}

/** Hands all of them over at once. */
export function publishAll(publisher: Publisher, messages: readonly Message[]): Promise<Published>[] {
  return messages.map(({ headers = {}, payload = new TextEncoder().encode('{}'), subject }) =>
    publisher.publish(subject, payload, { headers: Headers.of(headers) }),
  )
}

/** Messages that can be told apart by their subjects. */
export function numbered(stream: string, numbers: readonly number[]): readonly Message[] {
  return numbers.map(n => ({ subject: `${stream}.m.${n}` }))
}

/** All that a stream holds, in order. */
export async function storedIn({ jsm }: NatsConnection, stream: string): Promise<readonly StoredMessage[]> {
  const { state } = await jsm.streams.info(stream)
  const stored = Array.from({ length: state.last_seq }, async (_, index) => {
    const seq = index + 1
    const { data, header, subject } = await jsm.streams.getMessage(stream, { seq })
    return { batch: header.get('Nats-Batch-Id'), headers: header, seq, sizeBytes: data.length, subject }
  })
  return await Promise.all(stored)
}

/** How many messages each batch has, in the order they were stored; those that came alone are 1 each. */
export function batchSizes(stored: readonly StoredMessage[]): readonly number[] {
  const sizes: number[] = []
  for (const [index, { batch }] of stored.entries()) {
    if (batch !== '' && batch === stored[index - 1]?.batch) sizes[sizes.length - 1]! += 1
    else sizes.push(1)
  }
  return sizes
}

/** What the callers hear, errors as ours. */
export async function outcomesOf(publishing: readonly Promise<Published>[]): Promise<readonly unknown[]> {
  const settled = await Promise.allSettled(publishing)
  const attempted = { what: 'publish', subject: 'any' }
  return settled.map(outcome => {
    if (outcome.status === 'fulfilled') return { duplicate: outcome.value.duplicate, seq: outcome.value.seq }
    const { code, retryable } = translate(outcome.reason, attempted) as Error & {
      readonly code: string
      readonly retryable: boolean
    }
    return { code, retryable }
  })
}

/** As an operator may have it, or a server that was too old when it was created. */
export async function takeNoBatches({ jsm }: NatsConnection, stream: string): Promise<void> {
  const change: Partial<NeededStream> = { allow_atomic: false }
  await jsm.streams.update(stream, change)
}

/** A server for this test alone that takes fewer batches than others. Answers its URL. */
export async function serverWithBatchLimits(limits: string): Promise<string> {
  const storeDir = await scratchDir()
  const jetStream = `jetstream { store_dir: ${JSON.stringify(storeDir)}, limits { batch { ${limits} } } }`
  return (await ownServer({ extraConfig: jetStream, storeDir })).url
}
