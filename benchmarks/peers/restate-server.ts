/** A restate-server, and the process of its services, for all contestants on Restate. */
import { createRequire } from 'node:module'
import { join } from 'node:path'

import { connect, type Ingress } from '@restatedev/restate-sdk-clients'

import { readerOf, type DiaryReader } from '../contest/diary.ts'
import type { Roots } from '../contest/meter.ts'
import type { About } from '../contest/protocol.ts'
import { NodeProcess } from '../node-process.ts'
import { freePorts, ServerProcess, temporaryFolder, type ServerOptions } from './server-process.ts'
import { versionOf } from './version.ts'

/** Partitions: 24, the default, is half as fast on two processors. Invocations: 1,000 are too few for timers. */
const settings = {
  RESTATE_DEFAULT_NUM_PARTITIONS: '1',
  RESTATE_WORKER__INVOKER__CONCURRENT_INVOCATIONS_LIMIT: '100000',
}

export interface Served {
  readonly type: 'serving'
}

/** What the process of the services is told. */
export interface WorkerOptions {
  /** Path of the file in which timers and slow steps are noted. */
  readonly diary: string
  readonly port: number
}

type Worker = NodeProcess<never, Served>

const require = createRequire(import.meta.url)

export class Restate implements AsyncDisposable {
  readonly about: About
  readonly diary: DiaryReader
  readonly ingress: Ingress
  readonly #admin: string
  readonly #remove: () => Promise<void>
  readonly #serverOptions: ServerOptions
  readonly #startWorker: () => Promise<Worker>
  readonly #url: string
  #server: ServerProcess
  #worker: Worker

  private constructor(options: {
    readonly about: About
    readonly admin: string
    readonly diary: DiaryReader
    readonly remove: () => Promise<void>
    readonly server: ServerProcess
    readonly serverOptions: ServerOptions
    readonly startWorker: () => Promise<Worker>
    readonly url: string
    readonly worker: Worker
  }) {
    this.about = options.about
    this.diary = options.diary
    this.ingress = connect({ url: options.url })
    this.#admin = options.admin
    this.#remove = options.remove
    this.#server = options.server
    this.#serverOptions = options.serverOptions
    this.#startWorker = options.startWorker
    this.#url = options.url
    this.#worker = options.worker
  }

  /** @param program of the services, compiled, in this folder */
  static async start(program: string, versions: Readonly<Record<string, string>>): Promise<Restate> {
    const command = require.resolve(`@restatedev/restate-server-linux-${process.arch}/bin/restate-server`)
    const { path, remove } = await temporaryFolder('restate')
    const [ingressPort, adminPort, fabricPort, port] = (await freePorts(4)) as [
      number,
      number,
      number,
      number,
    ]
    const serverOptions = {
      command,
      args: [
        '--no-logo',
        '--listen-mode',
        'tcp',
        '--bind-ip',
        '127.0.0.1',
        '--bind-port',
        String(fabricPort),
      ],
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
    }
    const admin = `http://127.0.0.1:${adminPort}`
    const url = `http://127.0.0.1:${ingressPort}`
    const server = new ServerProcess(serverOptions)
    await untilServing(server, admin, url)
    const diary = readerOf(join(path, 'diary'))
    // Else a line for every invocation.
    process.env['RESTATE_LOGGING'] = 'ERROR'
    const startWorker = async () => {
      const options: WorkerOptions = { diary: diary.path, port }
      const worker: Worker = new NodeProcess(join('peers', program), options, new AbortController().signal)
      await worker.next('serving')
      return worker
    }
    const worker = await startWorker()
    const registered = await fetch(`${admin}/deployments`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ uri: `http://127.0.0.1:${port}` }),
    })
    if (!registered.ok) throw new Error(`the services were refused: ${await registered.text()}`)
    const about = {
      durability: 'power loss (log synced on append, its default)',
      settings,
      versions: {
        node: process.version,
        'restate-server': versionOf('@restatedev/restate-server'),
        'restate-sdk': versionOf('@restatedev/restate-sdk'),
        ...versions,
      },
    }
    return new Restate({ about, admin, diary, remove, server, serverOptions, startWorker, url, worker })
  }

  roots(): Roots {
    return { client: process.pid, runtime: this.#worker.pid, server: this.#server.pid }
  }

  async crashWorker(): Promise<void> {
    await this.#worker.kill()
    this.#worker = await this.#startWorker()
  }

  async crashServer(): Promise<void> {
    await this.#server.kill()
    this.#server = new ServerProcess(this.#serverOptions)
    await untilServing(this.#server, this.#admin, this.#url)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.kill()
    await this.#server.kill()
    await this.#remove()
  }
}

async function untilServing(server: ServerProcess, admin: string, ingress: string): Promise<void> {
  await server.untilReady(async () => (await fetch(`${admin}/health`)).ok)
  await server.untilReady(async () => (await fetch(`${ingress}/restate/health`)).ok)
}
