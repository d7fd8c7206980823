/** A restate-server, and the process of its services, for all contestants on Restate. */
import { createRequire } from 'node:module'
import { join } from 'node:path'

import { connect, type Ingress } from '@restatedev/restate-sdk-clients'

import type { About } from '../contest/protocol.ts'
import { NodeProcess } from '../node-process.ts'
import { freePorts, ServerProcess, temporaryFolder } from './server-process.ts'
import { versionOf } from './version.ts'

/** Partitions: 24, the default, is half as fast on two processors. Invocations: 1,000 are too few for timers. */
const settings = {
  RESTATE_DEFAULT_NUM_PARTITIONS: '1',
  RESTATE_WORKER__INVOKER__CONCURRENT_INVOCATIONS_LIMIT: '100000',
}

export interface Served {
  readonly type: 'serving'
}

export interface Restate extends AsyncDisposable {
  readonly about: About
  readonly ingress: Ingress
  readonly roots: () => { readonly client: number; readonly runtime: number; readonly server: number }
}

const require = createRequire(import.meta.url)

/** @param worker program of the services, compiled, in this folder */
export async function startRestate(
  worker: string,
  versions: Readonly<Record<string, string>>,
): Promise<Restate> {
  const binary = require.resolve(`@restatedev/restate-server-linux-${process.arch}/bin/restate-server`)
  const { path, remove } = await temporaryFolder('restate')
  const [ingressPort, adminPort, fabricPort, workerPort] = await freePorts(4)
  const server = new ServerProcess({
    command: binary,
    args: ['--no-logo', '--listen-mode', 'tcp', '--bind-ip', '127.0.0.1', '--bind-port', String(fabricPort)],
    env: {
      ...settings,
      HOME: path,
      RESTATE_ADMIN__BIND_PORT: String(adminPort),
      RESTATE_ADVERTISED_HOST: '127.0.0.1',
      RESTATE_BASE_DIR: path,
      RESTATE_DISABLE_TELEMETRY: 'true',
      RESTATE_INGRESS__BIND_PORT: String(ingressPort),
      RESTATE_LOG_FILTER: 'warn',
    },
  })
  const never = new AbortController().signal
  const admin = `http://127.0.0.1:${adminPort}`
  const ingressUrl = `http://127.0.0.1:${ingressPort}`
  await server.untilReady(async () => (await fetch(`${admin}/health`)).ok)
  await server.untilReady(async () => (await fetch(`${ingressUrl}/restate/health`)).ok)
  // Else a line for every invocation.
  process.env['RESTATE_LOGGING'] = 'WARN'
  const node = new NodeProcess<never, Served>(join('peers', worker), { port: workerPort }, never)
  await node.next('serving')
  const registered = await fetch(`${admin}/deployments`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ uri: `http://127.0.0.1:${workerPort}` }),
  })
  if (!registered.ok) throw new Error(`the services were refused: ${await registered.text()}`)
  return {
    about: {
      durability: 'power loss (log synced on append, its default)',
      settings,
      versions: {
        node: process.version,
        'restate-server': versionOf('@restatedev/restate-server'),
        'restate-sdk': versionOf('@restatedev/restate-sdk'),
        ...versions,
      },
    },
    ingress: connect({ url: ingressUrl }),
    roots: () => ({ client: process.pid, runtime: node.pid, server: server.pid }),
    async [Symbol.asyncDispose]() {
      await node.kill()
      await server.kill()
      await remove()
    },
  }
}
