import { RuntimeError } from '../../actors/errors.ts'
import type { InboxMessage, ParkedMessage, ParkedPlace, Parking } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import { formatAddress, partitionOf } from '../workflow/address.ts'
import type { MemoryNamespace, MemoryParked } from './namespace.ts'
import { readContent } from './partition.ts'

/** So many removed envelopes can be brought back. */
const mostUnparked = 64

/** The parked envelopes in memory. */
export class MemoryParking implements Parking {
  readonly #namespace: MemoryNamespace

  constructor(namespace: MemoryNamespace) {
    this.#namespace = namespace
  }

  async instances(partition: number): Promise<readonly Address[]> {
    const { parked, partitions } = this.#namespace
    return [...parked.values()].flatMap(([first]) =>
      first !== undefined && partitionOf(first.address, partitions) === partition ? [first.address] : [],
    )
  }

  async last(address: Address): Promise<ParkedPlace | undefined> {
    const found = this.#parkedOf(address).at(-1)
    return found && { position: found.position, seq: found.seq }
  }

  async park(address: Address, messages: readonly InboxMessage[], expected: number): Promise<number> {
    const parked = this.#parkedOf(address)
    const found = parked.at(-1)?.position ?? 0
    const name = formatAddress(address)
    if (found !== expected) {
      throw new RuntimeError('REVISION_CONFLICT', `another envelope for ${name} was parked first`, {
        fields: { expected, found },
      })
    }
    for (const { content, wire } of messages) {
      const { data } = wire
      this.#namespace.requireFitting(`park an envelope for ${name}`, data)
      const { repeats, replyTo } = 'malformed' in content ? {} : content
      const position = this.#namespace.nextRevision()
      parked.push({ address, data, position, repeats, replyTo, seq: content.seq })
      this.#namespace.parked.set(name, parked)
    }
    return parked.at(-1)!.position
  }

  async read(address: Address, after: number, limit: number): Promise<readonly ParkedMessage[]> {
    const behind = this.#parkedOf(address).filter(({ position }) => position > after)
    return behind.slice(0, limit).map(parked => this.#message(parked))
  }

  /** Brings back the envelopes removed last, as a server that was killed may. Answers them. */
  bringBack(count: number): readonly ParkedPlace[] {
    const { parked, unparked } = this.#namespace
    const removed = unparked.splice(Math.max(0, unparked.length - count))
    for (const back of removed) {
      const all = [...this.#parkedOf(back.address), back]
      parked.set(
        formatAddress(back.address),
        all.toSorted((a, b) => a.position - b.position),
      )
    }
    return removed
  }

  #message(parked: MemoryParked): ParkedMessage {
    const { address, data, position, replyTo } = parked
    const namespace = this.#namespace
    const ack = () => {
      const name = formatAddress(address)
      const all = this.#parkedOf(address)
      const left = all.filter(other => other.position !== position)
      if (left.length === all.length) return
      namespace.unparked.push(parked)
      if (namespace.unparked.length > mostUnparked) namespace.unparked.shift()
      if (left.length === 0) namespace.parked.delete(name)
      else namespace.parked.set(name, left)
    }
    return {
      content: readContent(namespace, partitionOf(address, namespace.partitions), parked),
      position,
      wire: { data, headers: [] },
      ack,
      working() {
        // Nothing is delivered twice here.
      },
      reply: bytes => {
        if (replyTo !== undefined) namespace.reply(replyTo, bytes)
      },
      deadLetter: (code, reason) => {
        namespace.bury(parked, partitionOf(address, namespace.partitions), code, reason)
        ack()
        return Promise.resolve()
      },
    }
  }

  #parkedOf(address: Address): MemoryParked[] {
    return this.#namespace.parked.get(formatAddress(address)) ?? []
  }
}
