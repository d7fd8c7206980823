import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { describe, expect, it, onTestFinished } from 'vitest'

import { connect, type InstanceHandle } from '../../src/index.ts'
import { until } from '../contract/until.ts'
import { errandsOf, waitTotalMs, type Errand } from '../support/errands.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { startNode } from '../support/node.ts'
import { forkScript, scratchDir } from '../support/processes.ts'
import { crash } from './tally-node.ts'

const script = join(import.meta.dirname, 'errand-process.ts')

/** One errand, and the node that runs it in one life after another. */
class Trip {
  readonly handle: InstanceHandle<ReturnType<typeof errandsOf>>
  readonly #file: string
  readonly #namespace: string

  private constructor(handle: Trip['handle'], file: string, namespace: string) {
    this.handle = handle
    this.#file = file
    this.#namespace = namespace
  }

  /** The errand is stored; its node has yet to be started. */
  static async of(errand: Errand): Promise<Trip> {
    const namespace = freshNamespace()
    const file = join(await scratchDir(), 'attempts')
    await writeFile(file, '')
    // Only to found the namespace.
    await (await startNode({ namespace })).stop()
    const client = await connect({ servers: sharedServerUrl(), namespace })
    onTestFinished(() => client.close())
    const handle = await client.start(errandsOf(file), { id: errand, input: { errand } })
    return new Trip(handle, file, namespace)
  }

  live(): ChildProcess {
    return forkScript(script, sharedServerUrl(), this.#namespace, this.#file)
  }

  /** Lives until it kills itself. */
  async die(): Promise<void> {
    const [code, signal] = await once(this.live(), 'exit')
    if (signal !== 'SIGKILL') throw new Error(`the node ended with ${String(code)} by itself`)
  }

  /** The attempts begun so far, each with its key. */
  async attempts(): Promise<readonly string[]> {
    return (await readFile(this.#file, 'utf8')).split('\n').filter(line => line !== '')
  }
}

describe('an attempt whose process is killed', { timeout: 60_000 }, () => {
  it('between its end and its commit is made again under the same key, and applied once', async () => {
    const trip = await Trip.of('pay')

    await trip.die()
    const between = await trip.handle.get()
    trip.live()
    const { activities, context } = await trip.handle.waitFor(({ value }) => value === 'over', {
      timeout: '30s',
    })
    const attempts = await trip.attempts()

    expect(between).toMatchObject({ value: 'paying', context: { answers: [] } })
    expect(attempts.map(line => line.split(' ')[1])).toEqual(['1', '2'])
    expect(new Set(attempts.map(line => line.split(' ')[0])).size).toBe(1)
    expect(context.answers).toEqual(['paid'])
    expect(activities).toEqual([])
  })

  it('leaves the details of its last heartbeat to the next one', async () => {
    const trip = await Trip.of('read')

    const first = trip.live()
    await trip.handle.waitFor(({ activities }) => activities[0]?.lastHeartbeat !== undefined, {
      timeout: '30s',
    })
    await crash(first)
    trip.live()
    const { context } = await trip.handle.waitFor(({ value }) => value === 'over', { timeout: '30s' })

    expect(context.answers).toEqual([{ page: 3, of: new Set(['a', 'b']) }])
    expect(await trip.attempts()).toHaveLength(2)
  })

  it('by itself, again and again, has another number each time, until that is too often', async () => {
    const trip = await Trip.of('kill')

    for (let life = 0; life < 3; life++) await trip.die()
    trip.live()
    const { incident } = await trip.handle.waitFor(({ status }) => status === 'suspended', { timeout: '30s' })
    const attempts = await trip.attempts()

    expect(attempts.map(line => line.split(' ')[1])).toEqual(['1', '2', '3'])
    expect(incident?.code).toBe('RESTARTS_EXCEEDED')
    expect(incident?.error).toMatchObject({ message: expect.stringContaining('more than 2 times') })
  })

  it('while it waited for a slot has used up nothing of its retry policy', async () => {
    const trip = await Trip.of('queue')

    await trip.die()
    trip.live()
    const { context } = await trip.handle.waitFor(({ value }) => value === 'over', { timeout: '30s' })
    const attempts = await trip.attempts()

    // It has two, and never began under the number that it waited with.
    const ofSecond = attempts.filter(line => line.includes('/second/')).map(line => line.split(' ')[1])
    expect(ofSecond).toEqual(['2', '3'])
    expect(context).toMatchObject({ answers: ['served'] })
    expect(context.error).toBeUndefined()
  })

  it('is not made again when the time for all attempts has run out meanwhile', async () => {
    const trip = await Trip.of('wait')

    const first = trip.live()
    await until(async () => (await trip.attempts()).length > 0)
    await crash(first)
    const [running] = (await trip.handle.get())!.activities
    await until(() => Date.now() > running!.deadlineAt!)
    trip.live()
    const { context } = await trip.handle.waitFor(({ value }) => value === 'over', { timeout: '30s' })

    expect(running!.deadlineAt).toBe(running!.startedAt + waitTotalMs)
    expect(context.error).toMatchObject({
      code: 'ACTIVITY_TIMEOUT',
      fields: { timeout: 'total', attempt: 1 },
    })
    expect(await trip.attempts()).toHaveLength(1)
  })
})
