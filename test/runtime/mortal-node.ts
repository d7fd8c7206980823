import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { connect } from 'nats'

import type { InstanceRecord } from '../../actors/record.ts'
import { decodeRecord } from '../../src/codec/record.ts'
import { formatAddress } from '../../src/workflow/address.ts'
import type { Doing } from '../support/diaries.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { forkScript, nextMessage } from '../support/processes.ts'
import type { Death } from './diary-process.ts'

/** A process that must kill itself and has not by then does not do what it should. */
const deathWithinMs = 30_000
const script = join(import.meta.dirname, 'diary-process.ts')

/** What one process has done for one instance, in order. */
export type Doings = Readonly<Record<Doing, readonly number[]>>

/** By address, the revisions that the bucket still has. */
export type History = ReadonlyMap<string, readonly InstanceRecord[]>

/** The node of a namespace, killed again and again, and what it leaves. */
export class MortalNode {
  readonly namespace = freshNamespace()
  readonly #folder: string
  #lives = 0
  #process: ChildProcess | undefined

  constructor(folder: string) {
    this.#folder = folder
  }

  /** The death, if any, comes by itself. */
  async start(death?: Death): Promise<void> {
    this.#lives++
    await writeFile(this.#file, '')
    const args = [sharedServerUrl(), this.namespace, this.#file, JSON.stringify(death ?? null)]
    this.#process = forkScript(script, ...args)
    await nextMessage(this.#process).catch((error: Error) => {
      // It may die before it can say that it is ready.
      if (death === undefined || this.#process?.signalCode !== 'SIGKILL') throw error
    })
  }

  async died(): Promise<void> {
    const { exitCode, signalCode } = this.#process!
    if (exitCode === null && signalCode === null) {
      await once(this.#process!, 'exit', { signal: AbortSignal.timeout(deathWithinMs) })
    }
    const { signalCode: signal, exitCode: code } = this.#process!
    if (signal !== 'SIGKILL') throw new Error(`the node ended with ${String(signal ?? code)} by itself`)
  }

  async kill(): Promise<void> {
    this.#process!.kill('SIGKILL')
    await this.died()
  }

  /** By address, what this life has done. */
  async doings(): Promise<ReadonlyMap<string, Doings>> {
    const all = new Map<string, Record<Doing, number[]>>()
    for (const line of (await readFile(this.#file, 'utf8')).split('\n').filter(Boolean)) {
      const [doing, address, n] = line.split(' ') as [Doing, string, string]
      let found = all.get(address)
      if (found === undefined) all.set(address, (found = { steps: [], works: [], acts: [] }))
      found[doing].push(Number(n))
    }
    return all
  }

  async history(): Promise<History> {
    const connection = await connect({ servers: sharedServerUrl() })
    const all = new Map<string, InstanceRecord[]>()
    try {
      const bucket = await connection.jetstream().views.kv(`hf_${this.namespace}_instances`)
      for await (const { value } of await bucket.history()) {
        if (value.length === 0) continue
        const record = decodeRecord(value)
        const key = formatAddress(record)
        all.set(key, [...(all.get(key) ?? []), record])
      }
    } finally {
      await connection.close()
    }
    return all
  }

  get #file(): string {
    return join(this.#folder, `life-${this.#lives}`)
  }
}
