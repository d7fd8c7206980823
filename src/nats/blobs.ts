import { RuntimeError } from '../../actors/errors.ts'
import type { BlobKey, Blobs } from '../../actors/ports.ts'
import { formatAddress } from '../workflow/address.ts'
import type { NatsConnection } from './connection.ts'
import { isRemoved, readEntryNearby } from './entry.ts'
import { apiErrorOf, apiErrors, translate, type Attempted } from './errors.ts'
import { Headers } from './headers.ts'
import { requireFitting } from './payload.ts'
import type { Namespace } from './provision.ts'

/** The blobs in their bucket. The server refuses a second write of a key. */
export class NatsBlobs implements Blobs {
  readonly #connection: NatsConnection
  readonly #namespace: Namespace

  constructor(connection: NatsConnection, namespace: Namespace) {
    this.#connection = connection
    this.#namespace = namespace
  }

  async put(key: BlobKey, content: Uint8Array): Promise<void> {
    const attempted = this.#attempted('store', key)
    const headers = Headers.of({ 'Nats-Expected-Last-Subject-Sequence': '0' })
    requireFitting(this.#connection, attempted, content, headers)
    try {
      await this.#connection.publish(attempted.subject, content, { headers })
    } catch (error) {
      const number = apiErrorOf(error)
      if (number === apiErrors.wrongLastSequence) return
      if (number === apiErrors.wrongLastSequencePending) throw notYet(error, attempted)
      throw translate(error, attempted)
    }
  }

  async get(key: BlobKey, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const attempted = this.#attempted('read', key)
    try {
      signal?.throwIfAborted()
      const { blobStream } = this.#namespace.subjects
      const entry = await readEntryNearby(this.#connection, blobStream, attempted.subject, signal)
      return entry === undefined || isRemoved(entry.data.length) ? undefined : entry.data
    } catch (error) {
      throw translate(error, attempted)
    }
  }

  #attempted(verb: string, key: BlobKey): Attempted {
    const what = `${verb} '${key.name}' of ${formatAddress(key.owner)}`
    return { what, subject: this.#namespace.subjects.blob(key) }
  }
}

/** Another write of the key is still being agreed on: only when it is stored is it certain to stay. */
function notYet(error: unknown, { what, subject }: Attempted): RuntimeError {
  return new RuntimeError('STORE_UNAVAILABLE', `cannot ${what}: it is being stored`, {
    cause: error,
    fields: { subject },
    retryable: true,
  })
}
