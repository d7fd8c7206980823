import type { EventSink } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { EventObject } from '../../actors/event.ts'
import { formatAddress } from '../workflow/address.ts'
import type { MemoryNamespace } from './namespace.ts'

/** The emitted events in memory. */
export class MemoryEventSink implements EventSink {
  readonly #namespace: MemoryNamespace

  constructor(namespace: MemoryNamespace) {
    this.#namespace = namespace
  }

  async emit(address: Address, effectId: string, event: EventObject): Promise<void> {
    if (!this.#namespace.isNew(`event ${formatAddress(address)} ${effectId}`)) return
    this.#namespace.events.push({ address, effectId, event })
  }
}
