/**
 * A process that owns a server, for tests that kill, stop and interrupt it. Started with the options of the server
 * as JSON; tells its parent what happens and stops the server when it is told to.
 */
import { startServer, type StartServerOptions } from '../../src/nats/server.ts'

/** What it tells. */
export type OwnerMessage =
  | { readonly type: 'started'; readonly pid: number; readonly storeDir: string; readonly url: string }
  | { readonly type: 'interrupted' }
  | { readonly type: 'stopped'; readonly signal: string | null }

const tell = (message: OwnerMessage): void => void process.send?.(message)

process.on('SIGINT', () => tell({ type: 'interrupted' }))

const server = await startServer(JSON.parse(process.argv[2] ?? '{}') as StartServerOptions)

process.once('message', () => {
  void server
    .stop()
    .then(() => server.exited)
    .then(({ signal }) => tell({ type: 'stopped', signal }))
    .finally(() => process.disconnect())
})

tell({ type: 'started', pid: server.pid, storeDir: server.storeDir, url: server.url })
