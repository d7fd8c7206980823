import { describe, expect, it, onTestFinished } from 'vitest'
import { connect, type Client, type InstanceSnapshot } from '../../src/index.ts'
import { systemClock } from '../../src/clock.ts'
import { watchRecords } from '../../src/client/watch-records.ts'
import type { RecordFilter, RecordListener, Snapshots } from '../../actors/ports.ts'
import { RuntimeError } from '../../actors/errors.ts'
import { NatsSnapshots } from '../../src/nats/snapshots.ts'
import { NatsStore } from '../../src/nats/store.ts'
import { natsFixture } from '../contract/fixtures.ts'
import { sampleRecord, sampleSummary } from '../contract/samples.ts'
import { until } from '../contract/until.ts'
import { codeOf } from '../support/node.ts'
import { ownServer } from '../support/nats.ts'
import { scratchDir } from '../support/processes.ts'

const address = { workflow: 'order', id: 'o-1' }

interface AwayFixture {
  readonly client: Client
  /** Starts the server again, and has an instance end. */
  readonly comeBack: () => Promise<void>
  /** Resolved when what was asked before has found no server. */
  readonly failed: () => Promise<void>
}

/** A client whose server has been killed. */
async function awayFixture(): Promise<AwayFixture> {
  const storeDir = await scratchDir()
  const server = await ownServer({ storeDir })
  const { connection, namespace } = await natsFixture({ url: server.url })
  const client = await connect({ servers: server.url, namespace: namespace.name })
  onTestFinished(() => client.close())
  server.kill('SIGKILL')
  await server.exited
  return {
    client,
    comeBack: async () => {
      await ownServer({ storeDir, port: server.port })
      const store = new NatsStore(connection, namespace)
      const snapshot = { status: 'done', output: 7 } as const
      const done = { ...sampleRecord(address), status: 'done', snapshot } as const
      const summary = { ...sampleSummary(), status: 'done' } as const
      await until(async () => (await codeOf(store.commit(done, summary, 0))) !== 'STORE_UNAVAILABLE')
    },
    failed: async () => {
      // Asked later, it fails later.
      expect(await codeOf(client.instance('order', 'o-1').get())).toBe('STORE_UNAVAILABLE')
    },
  }
}

async function first(snapshots: AsyncIterableIterator<InstanceSnapshot>): Promise<unknown> {
  const { value } = await snapshots.next()
  await snapshots.return?.()
  return (value as InstanceSnapshot).address
}

describe('who waits while there is no server', () => {
  it('waits until it is back, for a result, a state or a commit', async () => {
    const { client, comeBack, failed } = await awayFixture()
    const handle = client.instance('order', 'o-1')

    const waiting = Promise.all([
      handle.result(),
      handle.waitFor(({ status }) => status === 'done').then(({ status }) => status),
      first(handle.watch()),
      first(client.watch()),
    ])
    await failed()
    await comeBack()

    expect(await waiting).toEqual([7, 'done', address, address])
  })

  it('stops on abort, with its reason, and when the time is up', async () => {
    const { client, failed } = await awayFixture()
    const handle = client.instance('order', 'o-1')
    const stop = new AbortController()
    const reason = new Error('enough')

    const result = handle.result({ signal: stop.signal })
    const watched = handle.watch({ signal: stop.signal }).next()
    const late = codeOf(handle.waitFor(() => true, { timeout: '2500ms' }))
    await failed()
    stop.abort(reason)

    await expect(result).rejects.toBe(reason)
    expect(await watched).toEqual({ done: true, value: undefined })
    expect(await late).toBe('TIMEOUT')
  })

  it('is told of a commit once, although watching began again after it', async () => {
    const { connection, namespace } = await natsFixture()
    await new NatsStore(connection, namespace).commit(sampleRecord(address), sampleSummary(), 0)
    const snapshots = new NatsSnapshots(connection, namespace)
    let begun = 0
    const flaky: Pick<Snapshots, 'watch'> = {
      watch: async (filter: RecordFilter, listener: RecordListener) => {
        const stop = await snapshots.watch(filter, listener)
        if (++begun > 1) return stop
        stop()
        throw new RuntimeError('STORE_UNAVAILABLE', 'lost', { retryable: true })
      },
    }
    const options = { capacity: 10, isLast: () => false, isWanted: () => true }
    const told: number[] = []

    const watched = watchRecords({ clock: systemClock, snapshots: flaky }, address, options)
    const reading = (async () => {
      for await (const { revision } of watched) told.push(revision)
    })()
    await until(() => begun === 2)
    await watched.return?.()
    await reading

    expect(told).toHaveLength(1)
  })

  it('hears that the connection has been closed', async () => {
    const { client, failed } = await awayFixture()

    const result = codeOf(client.instance('order', 'o-1').result())
    await failed()
    await client.close()

    expect(await result).toBe('STORE_UNAVAILABLE')
  })
})
