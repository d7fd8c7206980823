import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setInterval } from 'node:timers/promises'

/** What a running server says of itself. */
export interface ServerFacts {
  readonly monitoringUrl: string | undefined
  readonly port: number
  readonly version: string
}

interface ServerInfo {
  readonly auth_required?: boolean
  readonly jetstream?: boolean
  readonly tls_required?: boolean
  readonly version: string
}

/** A server without a JetStream leader answers nothing at all. */
const PROBE_TIMEOUT_MS = 1000

/**
 * Waits until the server with this pid takes connections and JetStream answers. Where clients must authenticate
 * or speak TLS, JetStream cannot be asked, so that it is enabled has to do: a server on its own opens its port
 * only after JetStream has recovered its streams.
 *
 * @throws the signal's reason when it is aborted first
 */
export async function untilReady(portsDir: string, pid: number, signal: AbortSignal): Promise<ServerFacts> {
  try {
    for await (const _ of setInterval(10, undefined, { signal })) {
      const ports = await readPorts(portsDir, pid)
      if (ports === undefined) continue
      const port = Number(new URL(ports.nats).port)
      const version = await probe(port, signal)
      if (version !== undefined) return { monitoringUrl: ports.monitoring, port, version }
    }
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
  throw new Error('unreachable: the interval ends by its signal only')
}

/** The file the server writes once it listens; undefined until it is there and whole. */
async function readPorts(
  portsDir: string,
  pid: number,
): Promise<{ readonly nats: string; readonly monitoring: string | undefined } | undefined> {
  const names = await readdir(portsDir)
  const name = names.find(candidate => candidate.endsWith(`_${pid}.ports`))
  if (name === undefined) return undefined
  const content = await readFile(join(portsDir, name), 'utf8')
  try {
    const ports = JSON.parse(content) as { nats?: string[]; monitoring?: string[] }
    const nats = ports.nats?.[0]
    return nats === undefined ? undefined : { nats, monitoring: ports.monitoring?.[0] }
  } catch {
    // Half written: the server does not write it in one step.
    return undefined
  }
}

/** Speaks just enough of the client protocol to ask JetStream for its account information. */
async function probe(port: number, signal: AbortSignal): Promise<string | undefined> {
  // Given to the socket, the signal would keep a listener of each (Node 20).
  const socket = connect({ host: '127.0.0.1', port })
  const abort = () => socket.destroy()
  signal.addEventListener('abort', abort)
  socket.on('error', () => undefined)
  socket.setTimeout(PROBE_TIMEOUT_MS, () => socket.destroy())
  // The lines of a socket that is destroyed do not end by themselves.
  const closed = new AbortController()
  socket.on('close', () => closed.abort())
  const inbox = `_INBOX.${randomUUID()}`
  let version: string | undefined
  try {
    await once(socket, 'connect', { signal })
    for await (const line of createInterface({ input: socket, signal: closed.signal })) {
      if (line.startsWith('INFO ') && version === undefined) {
        const info = JSON.parse(line.slice(5)) as ServerInfo
        if (info.jetstream !== true) return undefined
        if (info.auth_required === true || info.tls_required === true) return info.version
        version = info.version
        socket.write(`CONNECT {"verbose":false}\r\nSUB ${inbox} 1\r\nPUB $JS.API.INFO ${inbox} 0\r\n\r\n`)
      } else if (line.startsWith('{')) {
        return 'error' in (JSON.parse(line) as object) ? undefined : version
      }
    }
  } catch {
    // Refused, closed or silent: not ready yet. The caller's signal decides when to give up.
  } finally {
    signal.removeEventListener('abort', abort)
    socket.destroy()
  }
  return undefined
}
