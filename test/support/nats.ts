import { randomUUID } from 'node:crypto'
import { inject, onTestFinished } from 'vitest'

import { startServer, type NatsServer, type StartServerOptions } from '../../src/nats/server.ts'

/** The real server that all tests share. Never stop or stress it: keep to a namespace of your own. */
export function sharedServerUrl(): string {
  return inject('natsUrl')
}

/** The binary of the shared server. */
export function serverBinary(): string {
  return inject('natsServerPath')
}

/** The version of that binary; a run may be made against an older server. */
export function serverVersion(): string {
  return inject('natsServerVersion')
}

/** A namespace nobody else uses. */
export function freshNamespace(): string {
  return `t-${randomUUID().slice(0, 13)}`
}

/** A real server for this test alone, to kill, pause and restart; stopped when the test ends. */
export async function ownServer(options: StartServerOptions = {}): Promise<NatsServer> {
  const server = await startServer({ path: serverBinary(), ...options })
  onTestFinished(server.stop)
  return server
}
