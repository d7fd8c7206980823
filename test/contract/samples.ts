import { randomUUID } from 'node:crypto'
import type { SendEnvelope } from '../../actors/envelope.ts'
import type { RecordSummary, ScannedRecord, Store } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { InstanceRecord } from '../../actors/record.ts'
import { partitionOf } from '../../src/workflow/address.ts'

/** Ids that would break a subject, a header or a file name, and pairs that must not be taken for each other. */
export const awkwardIds: readonly string[] = [
  '.',
  '..',
  'a.b',
  'a=2Eb',
  '*',
  '>',
  '=',
  ' ',
  ' a',
  'a ',
  'a',
  'A',
  'a/b',
  '$KV',
  '%0A',
  '\n',
  '\r\nHf-Status: done',
  '\u0000',
  '\ufeff',
  'zażółć',
  'e\u0301',
  '\u00e9',
  '🧾',
  '語'.repeat(85),
  'x'.repeat(256),
]

export function sampleRecord(address: Address, over: Partial<InstanceRecord> = {}): InstanceRecord {
  return {
    workflow: address.workflow,
    id: address.id,
    version: 3,
    status: 'running',
    createdAt: 1_767_225_600_000,
    updatedAt: 1_767_225_600_001,
    inputDigest: 'digest',
    snapshot: { status: 'active', value: 'idle', context: { count: 0 } },
    timers: [],
    activities: [],
    outbox: [],
    cursor: 0,
    recent: [],
    sources: {},
    counter: 0,
    ...over,
  }
}

/** A record that can be told from others of its instance. */
export function numbered(address: Address, counter: number): InstanceRecord {
  return sampleRecord(address, { counter })
}

/** Of a record that owes something. */
export function sampleSummary(over: Partial<RecordSummary> = {}): RecordSummary {
  return {
    workflowVersion: 3,
    status: 'running',
    state: 'idle',
    event: 'xstate.init',
    commit: randomUUID(),
    inputDigest: 'digest',
    dueAt: undefined,
    owes: 1,
    ...over,
  }
}

export function sampleEnvelope(target: Address, number = 0, over: Partial<SendEnvelope> = {}): SendEnvelope {
  return {
    type: 'send',
    id: randomUUID(),
    target,
    time: 1_767_225_600_000,
    event: { type: 'COUNT', number },
    ...over,
  }
}

/** An address of that partition. */
export function addressIn(partition: number, partitions: number, workflow = 'order'): Address {
  for (let n = 0; ; n += 1) {
    const address = { workflow, id: `o-${n}` }
    if (partitionOf(address, partitions) === partition) return address
  }
}

/** Commits a first record for each; few at a time, because a server that syncs every write is slow. */
export async function createAll(store: Store, addresses: readonly Address[]): Promise<void> {
  for (let from = 0; from < addresses.length; from += 100) {
    const some = addresses.slice(from, from + 100)
    await Promise.all(some.map(address => store.commit(sampleRecord(address), sampleSummary(), 0)))
  }
}

/** Ids in a fixed order, for comparing what comes in no order. */
export function idsOf(rows: readonly ScannedRecord[]): readonly string[] {
  return rows.map(row => row.address.id).toSorted()
}
