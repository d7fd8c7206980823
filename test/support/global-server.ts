import type { TestProject } from 'vitest/node'

import { startServer } from '../../src/nats/server.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The binary every server of this run uses. */
    natsServerPath: string
    /** Its version. */
    natsServerVersion: string
    /** The server all tests share; see `test/support/nats.ts`. */
    natsUrl: string
  }
}

/**
 * One real server for the whole run: starting is quick, but finding one may mean a download. HOLDFAST_NATS_SERVER
 * names another binary, to run everything against an older server.
 */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startServer({
    onProgress: message => process.stderr.write(`${message}\n`),
    path: process.env['HOLDFAST_NATS_SERVER'],
  })
  project.provide('natsServerPath', server.binaryPath)
  project.provide('natsServerVersion', server.serverVersion)
  project.provide('natsUrl', server.url)
  return server.stop
}
