import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A wire to a server that can be tampered with. */
export interface Proxy {
  readonly url: string
  /** Breaks every connection; new ones are taken. */
  cut(): void
  /** From now on what the server sends is lost, until the connection is cut. */
  mute(): void
  /** The next thing the server sends is lost, and nothing else. */
  dropNext(): void
  /** Lets so much more of what clients send through, then breaks every connection and takes no more. */
  severAfter(sizeBytes: number): void
  /** How much the server has sent since it was muted. */
  readonly lostBytes: number
}

/** A proxy before a server, for this test alone. */
export async function proxyTo(port: number): Promise<Proxy> {
  const open = new Set<Socket>()
  let isMuted = false
  let isDropping = false
  let lostBytes = 0
  let allowedBytes = Infinity
  const listener = createServer(client => {
    const server = connect(port, '127.0.0.1')
    open.add(client).add(server)
    const end = () => {
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) socket.on('error', end).on('close', end)
    client.on('data', data => {
      const allowed = data.subarray(0, allowedBytes)
      allowedBytes -= allowed.length
      if (allowedBytes > 0) server.write(allowed)
      else {
        client.pause()
        server.end(allowed, end)
      }
    })
    server.on('data', data => {
      if (isMuted || isDropping) lostBytes += data.length
      else client.write(data)
      isDropping = false
    })
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const cut = () => {
    for (const socket of open) socket.destroy()
    open.clear()
    isMuted = false
  }
  onTestFinished(() => {
    cut()
    listener.close()
  })
  return {
    url: `nats://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    cut,
    mute: () => {
      isMuted = true
    },
    dropNext: () => {
      isDropping = true
    },
    severAfter: sizeBytes => {
      allowedBytes = sizeBytes
    },
    get lostBytes() {
      return lostBytes
    },
  }
}
