import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import { describe, expect, it, onTestFinished } from 'vitest'
import { assign, fromCallback, setup } from 'xstate'

import { partitionsFor } from '../../actors/assignment.ts'
import {
  connect,
  defineWorkflow,
  partitionOf,
  type Client,
  type InstanceHandle,
  type Node,
  type NodeOptions,
} from '../../src/index.ts'
import { until } from '../contract/until.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { collect, startNode } from '../support/node.ts'
import { forkScript, nextMessage } from '../support/processes.ts'
import { echo, tally } from '../support/workflows.ts'

const partitions = 12
const script = join(import.meta.dirname, 'node-process.ts')

type Tally = InstanceHandle<typeof tally>

/** A cluster in a namespace of its own. Nodes are started here or in processes of their own. */
class Cluster {
  readonly namespace = freshNamespace()
  readonly #options: Partial<NodeOptions>

  constructor(options: Partial<NodeOptions> = {}) {
    this.#options = { log: 'silent', ...options, partitions }
  }

  start(name: string): Promise<Node> {
    return startNode({ ...this.#options, namespace: this.namespace, name })
  }

  /** A node to be killed. */
  async startProcess(name: string): Promise<ChildProcess> {
    const options = JSON.stringify({ ...this.#options, name })
    const child = forkScript(script, sharedServerUrl(), this.namespace, options)
    await nextMessage(child)
    return child
  }

  /** A client that is no node's. */
  async connect(): Promise<Client> {
    const client = await connect({ servers: sharedServerUrl(), namespace: this.namespace })
    onTestFinished(() => client[Symbol.asyncDispose]())
    return client
  }
}

/** Waits until each of these nodes serves as much as it should while those of these names are alive. */
async function shared(nodes: readonly Node[], ...names: readonly string[]): Promise<void> {
  const wanted = nodes.map(node => partitionsFor(node.name, names, partitions).size)
  const serving = () => nodes.map(node => node.status().partitions.serving)
  await expect.poll(serving, { timeout: 20_000 }).toEqual(wanted)
}

/** An instance in every partition. */
async function startEverywhere(client: Client): Promise<readonly Tally[]> {
  const ids = new Map<number, string>()
  for (let number = 0; ids.size < partitions; number++) {
    const id = `i-${number}`
    ids.set(partitionOf({ workflow: 'tally', id }, partitions), id)
  }
  return Promise.all([...ids.values()].map(id => client.start(tally, { id, input: undefined })))
}

/** Every partition takes an event: it is served by somebody. */
async function allServe(handles: readonly Tally[]): Promise<void> {
  const outcomes = await Promise.all(
    handles.map(handle => handle.update({ type: 'ADD', n: -1 }, { timeout: '25s' })),
  )
  expect(outcomes.map(({ type }) => type)).toEqual(handles.map(() => 'accepted'))
}

async function killed(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

/** Sends numbered events to all instances, one after the other to each, until told to stop. */
class Sender {
  readonly #handles: readonly Tally[]
  readonly #sending: Promise<void>
  #isOver = false
  #sent = 0

  constructor(handles: readonly Tally[]) {
    this.#handles = handles
    this.#sending = this.#send()
  }

  /** Resolves when that many more have been sent to each. */
  async sends(more: number): Promise<void> {
    const wanted = this.#sent + more
    await until(() => this.#sent >= wanted)
  }

  /** Stops, and answers what the instances have seen once they have seen the last. */
  async finish(): Promise<{
    readonly sent: readonly number[]
    readonly seen: readonly (readonly number[])[]
  }> {
    this.#isOver = true
    await this.#sending
    const last = this.#sent - 1
    const seen = this.#handles.map(async handle => {
      const { context } = await handle.waitFor(state => state.context.seen.includes(last), { timeout: '25s' })
      return context.seen.filter(n => n >= 0)
    })
    return { sent: Array.from({ length: this.#sent }, (_, n) => n), seen: await Promise.all(seen) }
  }

  async #send(): Promise<void> {
    while (!this.#isOver) {
      const n = this.#sent
      await Promise.all(this.#handles.map(handle => handle.send({ type: 'ADD', n })))
      this.#sent++
    }
  }
}

/** What every commit of the instance has shown, from now on. */
function watched(handle: Tally): () => Promise<readonly (readonly number[])[]> {
  const stop = new AbortController()
  const snapshots = collect(handle.watch({ signal: stop.signal }))
  return async () => {
    stop.abort()
    return (await snapshots).map(({ context }) => context.seen)
  }
}

describe('several nodes', () => {
  it('share all partitions, each served by exactly one', async () => {
    const cluster = new Cluster()
    const nodes = await Promise.all(['a', 'b', 'c'].map(name => cluster.start(name)))
    const handles = await startEverywhere(nodes[0]!.client)

    await shared(nodes, 'a', 'b', 'c')

    // As many as there are, and none missing: none is served twice.
    const serving = nodes.reduce((sum, node) => sum + node.status().partitions.serving, 0)
    expect(serving).toBe(partitions)
    await allServe(handles)
  })

  it(
    'give a node that joins its share, and take over that of one that stops',
    { timeout: 60_000 },
    async () => {
      // The time to live is longer than the test: whatever changes hands was given.
      const cluster = new Cluster({ leaseTtl: '5m' })
      const nodes = await Promise.all(['a', 'b', 'c'].map(name => cluster.start(name)))
      const handles = await startEverywhere(await cluster.connect())

      const fourth = await cluster.start('d')
      await shared([...nodes, fourth], 'a', 'b', 'c', 'd')
      await allServe(handles)
      await nodes[1]!.stop()
      await shared([nodes[0]!, nodes[2]!, fourth], 'a', 'c', 'd')
      await allServe(handles)
      await Promise.all([nodes[0]!.stop(), nodes[2]!.stop()])
      await shared([fourth], 'd')

      await allServe(handles)
    },
  )

  it(
    'apply every event exactly once and in order while nodes join and leave',
    { timeout: 60_000 },
    async () => {
      const cluster = new Cluster({ leaseTtl: '5m' })
      const first = await cluster.start('a')
      const sender = new Sender(await startEverywhere(await cluster.connect()))

      await sender.sends(3)
      const second = await cluster.start('b')
      await sender.sends(3)
      const third = await cluster.start('c')
      await shared([first, second, third], 'a', 'b', 'c')
      await sender.sends(3)
      await first.stop()
      await sender.sends(3)
      await second.stop()
      await shared([third], 'c')
      await sender.sends(3)
      const { sent, seen } = await sender.finish()

      expect(sent.length).toBeGreaterThan(15)
      expect(seen).toEqual(seen.map(() => sent))
    },
  )

  it('hand over instances that never rest, without waiting for them', { timeout: 60_000 }, async () => {
    const restless = defineWorkflow(
      setup({
        types: { context: {} as { readonly ticks: number }, events: {} as { type: 'TICK' } },
        actors: {
          ticker: fromCallback(({ sendBack }) => {
            const timer = setInterval(() => sendBack({ type: 'TICK' }), 1)
            return () => clearInterval(timer)
          }),
        },
      }).createMachine({
        id: 'restless',
        context: { ticks: 0 },
        invoke: { src: 'ticker' },
        on: { TICK: { actions: assign({ ticks: ({ context }) => context.ticks + 1 }) } },
      }),
    )
    // Nothing else would end the wait within the test.
    const cluster = new Cluster({ drainTimeout: '10m', leaseTtl: '5m', workflows: [restless, tally, echo] })
    const first = await cluster.start('a')
    const client = await cluster.connect()
    const ids = Array.from({ length: 2 * partitions }, (_, n) => `r-${n}`)
    const handles = await Promise.all(ids.map(id => client.start(restless, { id })))
    await Promise.all(handles.map(handle => handle.waitFor(({ context }) => context.ticks > 3)))

    const second = await cluster.start('b')
    await shared([first, second], 'a', 'b')
    await first.stop()
    await shared([second], 'b')

    const before = await Promise.all(handles.map(async handle => (await handle.get())!.context.ticks))
    await Promise.all(
      handles.map((handle, index) => handle.waitFor(({ context }) => context.ticks > before[index]!)),
    )
  })
})

describe('a node that is killed', () => {
  it(
    'has its partitions served again by others, with nothing lost or doubled',
    { timeout: 60_000 },
    async () => {
      const cluster = new Cluster({ leaseTtl: '1s' })
      const survivor = await cluster.start('survivor')
      const victim = await cluster.startProcess('victim')
      await shared([survivor], 'survivor', 'victim')
      const handles = await startEverywhere(await cluster.connect())
      const sender = new Sender(handles)
      await sender.sends(3)

      await killed(victim)
      await shared([survivor], 'survivor')

      await allServe(handles)
      const { sent, seen } = await sender.finish()
      expect(seen).toEqual(seen.map(() => sent))
    },
  )

  it('serves again at once when it is started under its old name', { timeout: 60_000 }, async () => {
    // Nobody could wait for the leases to expire here.
    const cluster = new Cluster({ leaseTtl: '5m' })
    const before = await cluster.startProcess('same')
    const handles = await startEverywhere(await cluster.connect())
    await allServe(handles)

    await killed(before)
    await cluster.startProcess('same')

    await allServe(handles)
  })

  it('has its partitions back under its old name while others are alive', { timeout: 60_000 }, async () => {
    const cluster = new Cluster({ leaseTtl: '5m' })
    const other = await cluster.start('other')
    const before = await cluster.startProcess('same')
    await shared([other], 'other', 'same')
    const handles = await startEverywhere(await cluster.connect())
    await allServe(handles)

    await killed(before)
    await cluster.startProcess('same')

    await allServe(handles)
    expect(other.status().partitions.serving).toBe(partitionsFor('other', ['other', 'same'], partitions).size)
  })
})

describe('a node that was paused for longer than its leases last', () => {
  it('commits nothing that others have committed, and joins again', { timeout: 60_000 }, async () => {
    const cluster = new Cluster({ leaseTtl: '1s' })
    const awake = await cluster.start('awake')
    const sleeper = await cluster.startProcess('sleeper')
    await shared([awake], 'awake', 'sleeper')
    const handles = await startEverywhere(await cluster.connect())
    await allServe(handles)
    const commits = handles.map(handle => watched(handle))
    const sender = new Sender(handles)
    await sender.sends(3)

    sleeper.kill('SIGSTOP')
    await shared([awake], 'awake')
    await sender.sends(3)
    sleeper.kill('SIGCONT')
    await shared([awake], 'awake', 'sleeper')
    await sender.sends(3)
    const { sent, seen } = await sender.finish()

    await allServe(handles)
    expect(seen).toEqual(seen.map(() => sent))
    for (const history of await Promise.all(commits.map(stop => stop()))) {
      // Each commit goes on from the one before: nobody has written from an older state.
      for (const [index, later] of history.entries()) {
        const earlier = history[index - 1] ?? []
        expect(later.slice(0, earlier.length)).toEqual(earlier)
      }
    }
  })
})
