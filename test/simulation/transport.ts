/** What `src/nats/transport.ts` gives a node or a client, over a {@link Link} to a server in memory. */
import type {
  Blobs,
  EventSink,
  Heartbeats,
  Hints,
  Inbox,
  Leases,
  RecordSummary,
  ScannedRecord,
  Snapshots,
  Store,
  StoredRecord,
} from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { InstanceRecord } from '../../actors/record.ts'
import { encodeRecord } from '../../src/codec/record.ts'
import { MemoryBlobs } from '../../src/memory/blobs.ts'
import { MemoryEventSink } from '../../src/memory/events.ts'
import { MemoryHeartbeats } from '../../src/memory/heartbeats.ts'
import { MemoryHints } from '../../src/memory/hints.ts'
import { MemoryInspection } from '../../src/memory/inspection.ts'
import { MemoryLeases } from '../../src/memory/leases.ts'
import { MemorySnapshots } from '../../src/memory/snapshots.ts'
import { MemoryStore } from '../../src/memory/store.ts'
import type { ClientTransport, Transport } from '../../src/nats/transport.ts'
import { RuntimeError } from '../../actors/errors.ts'
import { formatAddress, partitionOf } from '../../src/workflow/address.ts'
import type { Checker } from './checker.ts'
import { SimInboxTerm } from './inbox-term.ts'
import { simParking } from './parking.ts'
import { simPauses } from './pauses.ts'
import type { Link } from './link.ts'
import type { SimServer } from './server.ts'
import { simBeats, simTasks } from './tasks.ts'

export interface SimTransportContext {
  readonly checker: Checker
  readonly link: Link
  readonly server: SimServer
}

/** So many rows of a scan are read at a time. */
const scanBatch = 3

export function simClientTransport(context: SimTransportContext): ClientTransport {
  const { link, server } = context
  const { namespace } = server
  return {
    deadLetters: { get: unreplayed, list: unreplayed, remove: unreplayed },
    directory: {
      isRegistered: async workflow => workflow !== 'nothing',
      isServed: async () => true,
      listWorkflows: async () => [],
      registerWorkflow: async () => {},
    },
    blobs: simBlobs(context),
    hints: simHints(context),
    inbox: simInbox(context),
    inspection: new MemoryInspection(namespace),
    partitions: namespace.partitions,
    pauses: simPauses(context),
    replies: simReplies(context),
    snapshots: simSnapshots(context),
    close: async () => link.close(),
  }
}

export function simTransport(context: SimTransportContext, node: string, incarnation: string): Transport {
  const { namespace } = context.server
  return {
    ...simClientTransport(context),
    beats: simBeats(context.link, context.server),
    leaseTtlMs: namespace.leaseTtlMs,
    events: simEvents(context),
    heartbeats: simHeartbeats(context, new MemoryHeartbeats(namespace, node)),
    leases: simLeases(context, new MemoryLeases(namespace, { incarnation, node })),
    parking: simParking(context),
    store: new SimStore(context),
    tasks: simTasks(context.link, context.server),
  }
}

/** The checker has the dead letters. */
function unreplayed(): never {
  throw new Error('nobody looks after the dead letters in the simulation')
}

class SimStore implements Store {
  readonly capacity: number
  readonly #context: SimTransportContext
  readonly #stored: MemoryStore

  constructor(context: SimTransportContext) {
    this.#context = context
    this.#stored = new MemoryStore(context.server.namespace)
    this.capacity = this.#stored.capacity
  }

  load(address: Address): Promise<StoredRecord | undefined> {
    const { link } = this.#context
    return link.request('loads', `load ${formatAddress(address)}`, () => this.#stored.load(address))
  }

  async commit(record: InstanceRecord, summary: RecordSummary, expected: number): Promise<number> {
    const { checker, link, server } = this.#context
    const address = { workflow: record.workflow, id: record.id }
    const data = encodeRecord(record)
    const what = `commit ${formatAddress(address)} over ${expected} for ${summary.event}`
    checker.committing(link.process, address, summary.commit)
    return link.request('records', what, () => {
      try {
        const stored = server.namespace.replaceRecord(address, data, summary, expected)
        checker.committed(link.process, stored)
        return stored.revision
      } catch (error) {
        checker.conflicted(link.process, address, summary.commit)
        throw error
      }
    })
  }

  /** Rows are read a few at a time: what is written meanwhile is seen as it is then, or again. */
  async *scanOwing(
    partitions: readonly number[],
    signal?: AbortSignal,
  ): AsyncGenerator<ScannedRecord, void, undefined> {
    const { link } = this.#context
    const read = async () => {
      const rows: ScannedRecord[] = []
      for await (const row of this.#stored.scanOwing(partitions)) rows.push(row)
      return rows
    }
    const first = await link.request('scans', `scan ${partitions.join(', ')}`, read)
    for (let from = 0; from < first.length; from += scanBatch) {
      signal?.throwIfAborted()
      const keys = new Set(first.slice(from, from + scanBatch).map(row => formatAddress(row.address)))
      const rows = await link.request('scans', `scan on from ${from}`, read)
      yield* rows.filter(row => keys.has(formatAddress(row.address)))
    }
  }
}

function simInbox({ checker, link, server }: SimTransportContext): Inbox {
  const { namespace } = server
  return {
    prefetch: namespace.prefetch,
    async publish(envelope, { replyTo, signal } = {}) {
      const stored = server.envelope(envelope, replyTo)
      const store = () => {
        checker.arrived(envelope)
        return stored()
      }
      const lane = `publish ${partitionOf(envelope.target, namespace.partitions)}`
      const first = await link.publishOnce(lane, `publish ${envelope.id}`, store, signal)
      if (first === undefined || replyTo === undefined) return
      const again = server.again(envelope, replyTo, first)
      await link.publishOnce(lane, `publish ${envelope.id} again`, again, signal)
    },
    async open(partition, term, listener) {
      const opened = new SimInboxTerm({ checker, link, namespace, partition, term, listener })
      await opened.open()
      return opened
    },
  }
}

/** As with NATS, the holder counts from before it asked, on its own clock. */
function simLeases({ checker, link, server }: SimTransportContext, leases: MemoryLeases): Leases {
  const trustMs = server.namespace.leaseTtlMs * 0.75
  const { clock } = link.process
  return {
    async acquire(partition) {
      const trustedUntil = clock.monotonic() + trustMs
      const lease = await link.request(`lease ${partition}`, `acquire ${partition}`, () =>
        leases.acquire(partition),
      )
      if (lease === undefined) return undefined
      checker.leased(link.process, { ...lease, trustedUntil })
      return { ...lease, trustedUntil }
    },
    async renew(lease) {
      const { partition, term } = lease
      const trustedUntil = clock.monotonic() + trustMs
      await link.request(`lease ${partition}`, `renew ${partition} in term ${term}`, () =>
        leases.renew(lease),
      )
      checker.leased(link.process, { partition, term, trustedUntil })
      return { partition, term, trustedUntil }
    },
    release(lease) {
      const { partition, term } = lease
      return link.request(`lease ${partition}`, `release ${partition} in term ${term}`, () =>
        leases.release(lease),
      )
    },
    onReleased(listener) {
      return leases.onReleased(partition => link.push('leases', () => listener(partition)))
    },
  }
}

function simHeartbeats({ link }: SimTransportContext, heartbeats: MemoryHeartbeats): Heartbeats {
  return {
    beat: avoided => link.request('heartbeats', 'beat', () => heartbeats.beat(avoided)),
    leave: () => link.request('heartbeats', 'leave', () => heartbeats.leave()),
    listen: listener =>
      link.request('heartbeats', 'listen to heartbeats', () =>
        heartbeats.listen({
          alive: (name, agoMs, avoided) =>
            link.push('heartbeats', () => listener.alive(name, agoMs, avoided)),
          left: name => link.push('heartbeats', () => listener.left(name)),
        }),
      ),
  }
}

function simHints({ checker, link, server }: SimTransportContext): Hints {
  const hints = new MemoryHints(server.namespace)
  return {
    send: hint => link.send('hints', `hint ${formatAddress(hint.target)}`, () => hints.send(hint)),
    listen: listener =>
      link.request('hints', 'listen to hints', () =>
        hints.listen(hint =>
          link.push('hints', () => {
            checker.hinted(link.process, hint.target)
            listener(hint)
          }),
        ),
      ),
  }
}

function simBlobs({ checker, link, server }: SimTransportContext): Blobs {
  const blobs = new MemoryBlobs(server.namespace)
  return {
    put: (key, content) =>
      link.request('blobs', `put ${key.name}`, () => {
        checker.kept(link.process, key, content)
        return blobs.put(key, content)
      }),
    get: key => link.request('blobs', `get ${key.name}`, () => blobs.get(key)),
  }
}

function simEvents({ checker, link, server }: SimTransportContext): EventSink {
  const events = new MemoryEventSink(server.namespace)
  return {
    emit(address, effectId, event) {
      checker.emitting(link.process, address, effectId)
      return link.publishOnce('events', `emit ${effectId}`, () => events.emit(address, effectId, event))
    },
  }
}

function simSnapshots({ link, server }: SimTransportContext): Snapshots {
  const snapshots = new MemorySnapshots(server.namespace)
  const unsimulated = (): never => {
    throw new Error('nobody watches in the simulation')
  }
  return {
    get: address => link.request('loads', `get ${formatAddress(address)}`, () => snapshots.get(address)),
    peek: address => link.request('loads', `peek ${formatAddress(address)}`, () => snapshots.peek(address)),
    watch: unsimulated,
    list: unsimulated,
  }
}

function simReplies({ link, server }: SimTransportContext): ClientTransport['replies'] {
  const { process } = link
  let count = 0
  return {
    expect(timeoutMs) {
      const subject = `replies.${process.name}.${++count}`
      let dispose = () => {}
      const answer = new Promise<Uint8Array>((resolve, reject) => {
        const stop = server.namespace.onReply(subject, bytes => link.push('replies', () => resolve(bytes)))
        const timer =
          timeoutMs === undefined
            ? undefined
            : process.clock.setTimer(timeoutMs, () =>
                reject(new RuntimeError('TIMEOUT', 'no answer came in time', { retryable: true })),
              )
        dispose = () => {
          stop()
          timer?.cancel()
        }
      })
      // Who disposes of it before it is awaited is not interested in how it ends.
      answer.catch(() => {})
      return { answer, subject, dispose: () => dispose() }
    },
  }
}
