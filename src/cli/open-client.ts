import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'

import { RuntimeError } from '../../actors/errors.ts'
import type { Client } from '../client/client.ts'
import { connect } from '../client/connect.ts'
import { usage } from './arguments.ts'
import type { Call } from './command.ts'
import { findDev } from './dev-file.ts'

/** What a command works with. */
export interface Target {
  readonly namespace: string
  readonly server: string
}

/** Does something with a client, which is closed after it. */
export async function withClient<T>(call: Call, use: (client: Client) => Promise<T>): Promise<T> {
  const credentials = await readCredentials(call)
  const { namespace, server } = await findTarget(call)
  const client = await connect({ servers: server, namespace, credentials })
  try {
    return await use(client)
  } finally {
    await client.close()
  }
}

async function readCredentials({ config, folder, options }: Call): Promise<string | undefined> {
  const file = options.creds ?? config.creds
  if (file === undefined) return undefined
  try {
    return await readFile(resolve(folder, file), 'utf8')
  } catch (error) {
    const name = options.creds === undefined ? 'HOLDFAST_CREDS' : '--creds'
    throw usage(`${name} cannot be read: ${(error as Error).message}`)
  }
}

/**
 * Where to connect to: what the command line says, else the environment, else the `holdfast dev` of this folder.
 *
 * @throws RuntimeError `CONNECTION_FAILED` when none of them says anything
 */
export async function findTarget({ config, folder, options }: Call): Promise<Target> {
  const server = options.server ?? config.server
  const namespace = options.namespace ?? config.namespace
  if (server !== undefined) return { namespace: namespace ?? 'default', server }
  const dev = await findDev(folder)
  if (dev === undefined) {
    throw new RuntimeError(
      'CONNECTION_FAILED',
      `no 'holdfast dev' runs for ${folder} or a folder above, and neither --server nor HOLDFAST_SERVER is given`,
      { fields: { folder } },
    )
  }
  if (dev.url === undefined) {
    throw new RuntimeError(
      'CONNECTION_FAILED',
      `'holdfast dev' (process ${dev.pid}) is still starting; try again`,
      {
        fields: { pid: dev.pid },
        retryable: true,
      },
    )
  }
  return { namespace: namespace ?? dev.namespace, server: dev.url }
}
