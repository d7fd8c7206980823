import { describe, expect, it } from 'vitest'

import type { BulkResult } from '../../src/index.ts'
import { readBulkResults } from '../../src/client/bulk-results.ts'
import { encodeValue } from '../../src/codec/msgpack.ts'
import { MemoryBlobs } from '../../src/memory/blobs.ts'
import { ManualClock } from '../../src/memory/clock.ts'
import { MemoryNamespace } from '../../src/memory/namespace.ts'
import { collect } from '../support/node.ts'

const owner = { workflow: 'gatherer', id: 'a/b' }
const results = { key: 'gatherer/a/b/7', chunks: 2 }
const first: readonly BulkResult[] = [
  { index: 1, status: 'done', output: 1 },
  { index: 0, status: 'failed', error: 'no' },
]
const second: readonly BulkResult[] = [{ index: 2, status: 'done', output: 4 }]

function setUp() {
  const clock = new ManualClock()
  const blobs = new MemoryBlobs(new MemoryNamespace({ clock }))
  const put = (name: string, content: readonly BulkResult[]) =>
    blobs.put({ owner, name }, encodeValue(content))
  return { clock, put, read: (signal?: AbortSignal) => readBulkResults({ blobs, clock }, results, signal) }
}

const quiet = () => new Promise(resolve => setImmediate(resolve))

describe('the results of a bulk', () => {
  it('come chunk by chunk, in the order the children ended', async () => {
    const { put, read } = setUp()
    await put('bulk-7-1', second)
    await put('bulk-7-0', first)

    expect(await collect(read())).toEqual([...first, ...second])
  })

  it('are waited for when they are still on their way', async () => {
    const { clock, put, read } = setUp()
    await put('bulk-7-0', first)
    let isOver = false
    const all = collect(read()).finally(() => {
      isOver = true
    })

    for (let round = 0; round < 5; round++) {
      await quiet()
      clock.advance(1000)
    }
    expect(isOver).toBe(false)
    await put('bulk-7-1', second)
    await quiet()
    clock.advance(1000)

    expect(await all).toEqual([...first, ...second])
  })

  it('are waited for no longer once the signal aborts', async () => {
    const { read } = setUp()
    const enough = new AbortController()
    const all = collect(read(enough.signal))

    await quiet()
    enough.abort(new Error('enough'))

    await expect(all).rejects.toThrow('enough')
  })

  it('cannot be where no bulk has put any', async () => {
    const { clock } = setUp()
    const blobs = new MemoryBlobs(new MemoryNamespace({ clock }))

    await expect(collect(readBulkResults({ blobs, clock }, { key: '', chunks: 1 }))).rejects.toMatchObject({
      code: 'ID_INVALID',
    })
  })
})
