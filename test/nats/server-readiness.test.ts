import { getEventListeners, once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'

import { untilReady } from '../../src/nats/server/readiness.ts'
import { scratchDir } from '../support/processes.ts'

const pid = 4711

/** Takes connections, but has no JetStream yet. Answers when it has been asked so often. */
async function unreadyServer() {
  let asked = 0
  let heard = () => {}
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.write('INFO {"version":"2.15.1","jetstream":false}\r\n')
    asked += 1
    heard()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const dir = await scratchDir()
  const url = `nats://127.0.0.1:${(server.address() as AddressInfo).port}`
  await writeFile(join(dir, `nats-server_${pid}.ports`), JSON.stringify({ nats: [url] }))
  const askedFor = (times: number) =>
    new Promise<void>(resolve => {
      heard = () => {
        if (asked >= times) resolve()
      }
    })
  return { askedFor, dir }
}

describe('a server that is not ready', () => {
  it('is asked again and again without piling up listeners on the signal', async () => {
    const { askedFor, dir } = await unreadyServer()
    const giveUp = new AbortController()
    const ready = untilReady(dir, pid, giveUp.signal)
    ready.catch(() => {})

    await askedFor(20)
    const listeners = getEventListeners(giveUp.signal, 'abort').length
    giveUp.abort(new Error('enough'))

    expect(listeners).toBeLessThan(5)
    await expect(ready).rejects.toThrow('enough')
  })
})
