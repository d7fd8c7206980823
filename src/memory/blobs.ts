import type { BlobKey, Blobs } from '../../actors/ports.ts'
import { formatAddress } from '../workflow/address.ts'
import type { MemoryNamespace } from './namespace.ts'

/** The blobs in memory. */
export class MemoryBlobs implements Blobs {
  readonly #namespace: MemoryNamespace

  constructor(namespace: MemoryNamespace) {
    this.#namespace = namespace
  }

  async put(key: BlobKey, content: Uint8Array): Promise<void> {
    const { blobs } = this.#namespace
    this.#namespace.requireFitting(`store '${key.name}' of ${formatAddress(key.owner)}`, content)
    if (!blobs.has(textOf(key))) blobs.set(textOf(key), content.slice())
  }

  async get(key: BlobKey, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    signal?.throwIfAborted()
    return this.#namespace.blobs.get(textOf(key))?.slice()
  }
}

function textOf({ name, owner }: BlobKey): string {
  return `${name} ${formatAddress(owner)}`
}
