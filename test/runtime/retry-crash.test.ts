import { execFile, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { describe, expect, it } from 'vitest'

import { connect, type Client, type InstanceSnapshot } from '../../src/index.ts'
import { until } from '../contract/until.ts'
import { freshNamespace, serverBinary, sharedServerUrl } from '../support/nats.ts'
import { forkScript, nextMessage, scratchDir } from '../support/processes.ts'
import type { Death, Flaky } from './retry-process.ts'

const script = join(import.meta.dirname, 'retry-process.ts')
const root = join(import.meta.dirname, '..', '..')
const waitMs = 300

/** An attempt that has begun, in any life. */
interface Noted {
  readonly id: string
  readonly attempt: number
  readonly at: number
}

/** A node whose activity fails, killed once and started again. */
class Trial {
  readonly #namespace = freshNamespace()
  readonly #file: string

  private constructor(file: string) {
    this.#file = file
  }

  static async prepare(): Promise<Trial> {
    const file = join(await scratchDir(), 'attempts')
    await writeFile(file, '')
    return new Trial(file)
  }

  async start(death: Death = 'never'): Promise<ChildProcess> {
    const child = forkScript(script, sharedServerUrl(), this.#namespace, this.#file, death)
    await nextMessage(child)
    return child
  }

  connect(): Promise<Client> {
    return connect({ servers: sharedServerUrl(), namespace: this.#namespace })
  }

  async attempts(id: string): Promise<Noted[]> {
    const lines = (await readFile(this.#file, 'utf8')).split('\n').filter(Boolean)
    const all = lines.map(line => {
      const [name = '', attempt, at] = line.split(' ')
      return { id: name, attempt: Number(attempt), at: Number(at) }
    })
    return all.filter(noted => noted.id === id)
  }
}

async function gone(child: ChildProcess): Promise<void> {
  if (child.signalCode === null) await once(child, 'exit')
}

async function kill(child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await gone(child)
}

function handleOf(client: Client, id: string) {
  return client.instance<Flaky>('flaky', id)
}

function isDone({ context }: InstanceSnapshot<Flaky>): boolean {
  return context.attempts.length > 0
}

describe('S7: a retry whose pending entry is made or cleared while its node is killed', () => {
  it.each(['failing', 'failed', 'begun'] as const)('is not lost when it dies: %s', async death => {
    const trial = await Trial.prepare()
    const first = await trial.start(death)
    await using client = await trial.connect()
    await client.start('flaky', { id: 'a', input: 'a' })
    await gone(first)
    const stored = await handleOf(client, 'a').get()

    await trial.start()
    const { context } = await handleOf(client, 'a').waitFor(isDone, { timeout: '20s' })

    const numbers = (await trial.attempts('a')).map(({ attempt }) => attempt)
    // The one that ran at the kill runs again as another attempt, or, where that number was not stored, as the same.
    expect(context.attempts).toEqual([numbers.at(-1)])
    expect(numbers.at(-1)).toBe(stored!.activities[0]!.attempt + 1)
    expect(numbers.length).toBe(death === 'begun' ? 3 : 2)
  })

  it('is neither lost nor early when its node dies while it waits', async () => {
    const trial = await Trial.prepare()
    const first = await trial.start()
    await using client = await trial.connect()
    await client.start('flaky', { id: 'a', input: 'a' })
    const waiting = await handleOf(client, 'a').waitFor(s => s.activities[0]?.retryAt !== undefined)
    await kill(first)

    await trial.start()
    const { context } = await handleOf(client, 'a').waitFor(isDone, { timeout: '20s' })

    const [before, after, ...others] = await trial.attempts('a')
    expect(context.attempts).toEqual([2])
    expect(others).toEqual([])
    expect(after!.at).toBeGreaterThanOrEqual(waiting.activities[0]!.retryAt!)
    expect(after!.at).toBeGreaterThanOrEqual(before!.at + waitMs)
  })

  it('is not lost when its entry is cleared and it has no slot yet', async () => {
    const trial = await Trial.prepare()
    const first = await trial.start()
    await using client = await trial.connect()
    await client.start('flaky', { id: 'a', input: 'a' })
    await until(async () => (await trial.attempts('a')).length === 1)
    await client.start('flaky', { id: 'holder', input: 'holder' })
    await until(async () => (await trial.attempts('holder')).length === 1)
    await handleOf(client, 'a').waitFor(
      ({ activities: [running] }) => running?.attempt === 2 && running.retryAt === undefined,
    )
    const begunBefore = await trial.attempts('a')
    await kill(first)

    await trial.start()
    const { context } = await handleOf(client, 'a').waitFor(isDone, { timeout: '20s' })

    // It never began as the attempt whose number was stored.
    expect(begunBefore.map(({ attempt }) => attempt)).toEqual([1])
    expect(context.attempts).toEqual([3])
    expect((await trial.attempts('a')).map(({ attempt }) => attempt)).toEqual([1, 3])
  })
})

describe('S8: retries that wait while their node is killed', () => {
  it('are none lost, none early and none doubled', { timeout: 240_000 }, async () => {
    const args = ['run', '--silent', 'bench:retries', '--', '--instances', '200', '--kills', '2', '--json']
    const env = { ...process.env, HOLDFAST_NATS_SERVER: serverBinary() }

    const { stdout } = await promisify(execFile)('npm', args, { cwd: root, env })

    const { figures } = JSON.parse(stdout) as { readonly figures: Readonly<Record<string, number>> }
    expect(figures['attempts']).toBeGreaterThan(200)
    expect(figures['fewestWaitsAtAKill']).toBeGreaterThan(0)
    expect(figures['waitsThatWentOn']).toBeGreaterThan(0)
  })
})
