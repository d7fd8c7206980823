import type {
  RecordFilter,
  RecordListener,
  ScannedRecord,
  Snapshots,
  StoredRecord,
  WatchFilter,
} from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import { isFinal } from '../../actors/record.ts'
import { formatAddress } from '../workflow/address.ts'
import type { MemoryNamespace, MemoryRecord } from './namespace.ts'
import { decoded, scanned } from './store.ts'

/** The records in memory for those who only look. */
export class MemorySnapshots implements Snapshots {
  readonly #namespace: MemoryNamespace

  constructor(namespace: MemoryNamespace) {
    this.#namespace = namespace
  }

  async get(address: Address, signal?: AbortSignal): Promise<StoredRecord | undefined> {
    signal?.throwIfAborted()
    const stored = this.#namespace.records.get(formatAddress(address))
    return stored && decoded(stored)
  }

  async peek(address: Address, signal?: AbortSignal): Promise<ScannedRecord | undefined> {
    signal?.throwIfAborted()
    const stored = this.#namespace.records.get(formatAddress(address))
    return stored && scanned(stored)
  }

  async watch(filter: WatchFilter, listener: RecordListener): Promise<() => void> {
    const { records, watchers } = this.#namespace
    let isOpen = true
    const tell = (stored: MemoryRecord) => {
      if (!matches(filter, stored)) return
      // Later, as a message would come; microtasks keep the order.
      queueMicrotask(() => {
        if (isOpen) this.#tell(stored, filter, listener)
      })
    }
    for (const stored of [...records.values()].toSorted((a, b) => a.revision - b.revision)) tell(stored)
    watchers.add(tell)
    return () => {
      isOpen = false
      watchers.delete(tell)
    }
  }

  /** What cannot be read ends the watch of its instance, and is left out where many are watched. */
  #tell(stored: MemoryRecord, filter: WatchFilter, listener: RecordListener): void {
    try {
      const told = decoded(stored)
      if (filter.onlyFinal !== true || isFinal(told.record.status)) listener.record(told)
    } catch (error) {
      if (filter.id !== undefined) listener.ended(error as Error)
    }
  }

  async *list(filter: RecordFilter, signal?: AbortSignal): AsyncGenerator<ScannedRecord, void, undefined> {
    signal?.throwIfAborted()
    for (const stored of this.#namespace.records.values()) {
      signal?.throwIfAborted()
      const row = matches(filter, stored) ? scanned(stored) : undefined
      if (row !== undefined) yield row
    }
  }
}

function matches({ workflow, id }: RecordFilter, { address }: MemoryRecord): boolean {
  if (workflow === undefined) return true
  return address.workflow === workflow && (id === undefined || address.id === id)
}
