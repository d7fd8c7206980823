/** What this machine and its NATS can do at most: the limit that Holdfast is compared with. */
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { AckPolicy, connect, RetentionPolicy, type StreamConfig } from 'nats'

import { startServer } from '../../src/index.ts'
import { closedLoop } from '../contest/closed-loop.ts'
import { takePart, type Run } from '../contest/contestant.ts'
import { inLanes } from '../lanes.ts'
import { RawGroup } from './raw-group.ts'

/** Of a record, and of an envelope, as they usually are. */
const record = new Uint8Array(700).fill(1)
const envelopeBytes = 150
const keyCount = 1000

await takePart(async () => {
  const server = await startServer({ path: process.env['HOLDFAST_NATS_SERVER'] })
  const nc = await connect({ servers: server.url })
  const jsm = await nc.jetstreamManager()
  const js = nc.jetstream()

  /** A stream of its own for each run. */
  const addStream = (name: string, queue: boolean) => {
    const config: Partial<StreamConfig> & { readonly allow_atomic: boolean } = {
      allow_atomic: true,
      name,
      retention: queue ? RetentionPolicy.Workqueue : RetentionPolicy.Limits,
      subjects: [`${name}.>`],
    }
    return jsm.streams.add(config)
  }
  const requireStored = async (name: string, wanted: number) => {
    const { messages } = (await jsm.streams.info(name)).state
    if (messages !== wanted) throw new Error(`${name} holds ${messages} messages instead of ${wanted}`)
    await jsm.streams.delete(name)
  }
  /** Compare-and-set, of a key one after the other. */
  const writer = (stream: string) => {
    const group = new RawGroup(nc)
    const tails = new Map<number, Promise<number>>()
    return (index: number): Promise<number> => {
      const key = index % keyCount
      const write = (tails.get(key) ?? Promise.resolve(0)).then(revision =>
        group.publish(`${stream}.${key}`, record, revision),
      )
      tails.set(key, write)
      return write
    }
  }
  const envelope = (index: number) => {
    const payload = new Uint8Array(envelopeBytes)
    new DataView(payload.buffer).setUint32(0, index)
    return payload
  }
  /** Gives each message that is consumed to `take`, which says when it may be acknowledged. */
  const consume = async (stream: string, take: (index: number) => Promise<unknown>) => {
    const config = { durable_name: 'all', ack_policy: AckPolicy.Explicit, max_ack_pending: 8192 }
    await jsm.consumers.add(stream, config)
    const consumer = await js.consumers.get(stream, 'all')
    return consumer.consume({
      max_messages: 1000,
      callback: message => {
        const { buffer, byteOffset } = message.data
        // A failure is seen by whoever waits for that message, in `take`.
        void take(new DataView(buffer, byteOffset).getUint32(0)).then(() => message.ack())
      },
    })
  }

  const fsync: Run = async ({ count }, metering) => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-probe-'))
    const file = await open(join(folder, 'file'), 'w')
    const loop = await metering(() =>
      closedLoop({ concurrency: 1, count }, async () => {
        await file.write(record)
        await file.datasync()
      }),
    )
    const { size } = await file.stat()
    if (size !== count * record.length) throw new Error(`${size} bytes were written`)
    await file.close()
    await rm(folder, { recursive: true })
    return { ...loop, checked: count }
  }

  const writes: Run = async ({ concurrency, count, run }, metering) => {
    const stream = `writes-${run}`
    await addStream(stream, false)
    const write = writer(stream)
    const loop = await metering(() =>
      closedLoop({ concurrency, count }, async index => void (await write(index))),
    )
    await requireStored(stream, count)
    return { ...loop, checked: Math.min(keyCount, count) }
  }

  const publish: Run = async ({ concurrency, count, run }, metering) => {
    const stream = `publish-${run}`
    await addStream(stream, false)
    const group = new RawGroup(nc)
    const loop = await metering(() =>
      closedLoop({ concurrency, count }, async index => {
        await group.publish(`${stream}.${index % keyCount}`, envelope(index))
      }),
    )
    await requireStored(stream, count)
    return { ...loop, checked: count }
  }

  const consumption: Run = async ({ count, run }, metering) => {
    const stream = `consume-${run}`
    await addStream(stream, true)
    const group = new RawGroup(nc)
    await inLanes(count, 512, index => group.publish(`${stream}.${index % keyCount}`, envelope(index)))
    const seen = new Set<number>()
    const startedAt = performance.now()
    await metering(() => {
      return new Promise<void>((resolve, reject) => {
        const take = async (index: number) => {
          seen.add(index)
          if (seen.size === count) resolve()
        }
        consume(stream, take).catch(reject)
      })
    })
    const seconds = (performance.now() - startedAt) / 1000
    await jsm.streams.delete(stream)
    return { checked: seen.size, latencies: [], seconds }
  }

  const wholeLoop: Run = async ({ concurrency, count, run }, metering) => {
    const inbox = `inbox-${run}`
    const records = `records-${run}`
    await addStream(inbox, true)
    await addStream(records, false)
    const group = new RawGroup(nc)
    const write = writer(records)
    const written = new Map<number, (write: Promise<number>) => void>()
    const messages = await consume(inbox, index => {
      const writing = write(index)
      written.get(index)!(writing)
      written.delete(index)
      return writing
    })
    const loop = await metering(() =>
      closedLoop({ concurrency, count }, async index => {
        const applied = new Promise<number>(resolve => written.set(index, resolve))
        await group.publish(`${inbox}.${index % keyCount}`, envelope(index))
        await applied
      }),
    )
    await messages.close()
    await requireStored(records, count)
    await jsm.streams.delete(inbox)
    return { ...loop, checked: Math.min(keyCount, count) }
  }

  return {
    about: {
      durability: 'power loss (sync_interval: always)',
      settings: { envelopeBytes, recordBytes: record.length, syncInterval: server.syncInterval ?? 'unknown' },
      versions: { nats: server.serverVersion, node: process.version },
    },
    roots: () => ({ client: process.pid, server: server.pid }),
    workloads: {
      'raw-fsync': fsync,
      'raw-writes': writes,
      'raw-publish': publish,
      'raw-consume': consumption,
      'raw-loop': wholeLoop,
    },
    async [Symbol.asyncDispose]() {
      await nc.close()
      await server.stop()
    },
  }
})
