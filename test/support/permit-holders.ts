import { connect, type KvEntry } from 'nats'

import type { InstanceRecord } from '../../actors/record.ts'
import { decodeRecord } from '../../src/codec/record.ts'
import { sharedServerUrl } from './nats.ts'

/**
 * How many instances of a workflow held permits at a time, at most, and how many ever have: by every revision of all, in
 * their order.
 */
export async function holdersAtOnce(
  namespace: string,
  workflowName: string,
  isHolder: (record: InstanceRecord) => boolean,
): Promise<{ most: number; ever: number }> {
  const nc = await connect({ servers: sharedServerUrl() })
  try {
    const bucket = await nc.jetstream().views.kv(`hf_${namespace}_instances`)
    const holders = new Set<string>()
    const ever = new Set<string>()
    let most = 0
    // The library hands on nothing at all for what is no entry.
    for await (const entry of (await bucket.history()) as AsyncIterable<KvEntry | undefined>) {
      // What the bucket has of its own.
      if (entry === undefined || entry.value.length === 0) continue
      const record = decodeRecord(entry.value)
      if (record.workflow !== workflowName) continue
      const { id } = record
      if (isHolder(record)) {
        ever.add(id)
        holders.add(id)
      } else {
        holders.delete(id)
      }
      most = Math.max(most, holders.size)
    }
    return { most, ever: ever.size }
  } finally {
    await nc.close()
  }
}
