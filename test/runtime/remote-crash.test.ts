import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'

import { describe, expect, it, onTestFinished } from 'vitest'

import { connect } from '../../src/index.ts'
import { patientReader } from '../support/readers.ts'
import { delegator } from '../support/remotes.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { startNode } from '../support/node.ts'
import { forkScript, nextMessage } from '../support/processes.ts'
import { crash, startTallyNode } from './tally-node.ts'

const waiting = { timeout: '20s' } as const
const chore = { type: 'DO', n: 4, ms: 1_500 } as const

/** A worker in a process of its own, that ends with the test. */
async function startWorkerProcess(namespace: string): Promise<ChildProcess> {
  const script = join(import.meta.dirname, 'worker-process.ts')
  const worker = forkScript(script, sharedServerUrl(), namespace)
  expect(await nextMessage(worker)).toBe('ready')
  return worker
}

/** Two workers, and which of them has begun: the other one may get the same task. */
async function startTwo(
  namespace: string,
  begin: () => Promise<void>,
): Promise<{ begun: string; busy: ChildProcess; idleHears: Promise<string> }> {
  const workers = await Promise.all([startWorkerProcess(namespace), startWorkerProcess(namespace)])
  const heard = workers.map(worker => nextMessage<string>(worker))
  await begin()
  const busy = await Promise.race(heard.map((message, index) => message.then(() => index)))
  return { begun: await heard[busy]!, busy: workers[busy]!, idleHears: heard[1 - busy]! }
}

describe('a remote activity', { timeout: 60_000 }, () => {
  it('goes to another worker, as the same attempt under the same key, when its worker is killed', async () => {
    const namespace = freshNamespace()
    const node = await startNode({ namespace, workflows: [delegator] })
    const handle = await node.client.start(delegator, { id: 'd' })
    const { begun, busy, idleHears } = await startTwo(namespace, () => handle.send(chore))

    await crash(busy)

    expect(await idleHears).toBe(begun)
    const { context } = await handle.waitFor(s => s.context.results.length > 0, waiting)
    expect(context.results).toEqual(['done 4'])
  })

  it('goes on from the last heartbeat of the worker that was killed', async () => {
    const namespace = freshNamespace()
    const node = await startNode({ namespace, workflows: [patientReader] })
    const handle = node.client.instance(patientReader, 'r')
    const start = async () => void (await node.client.start(patientReader, { id: 'r' }))
    const { begun, busy, idleHears } = await startTwo(namespace, start)
    await handle.waitFor(({ activities }) => activities[0]?.lastHeartbeat === 'page 7', waiting)

    await crash(busy)

    expect([begun, await idleHears]).toEqual([
      'reading at attempt 1 from undefined',
      'reading at attempt 1 from page 7',
    ])
    expect(await handle.result(waiting)).toBe('read')
  })

  it('is done once though its node is killed meanwhile, and its result waits for the next node', async () => {
    const namespace = freshNamespace()
    const node = await startTallyNode(namespace)
    await using client = await connect({ servers: sharedServerUrl(), namespace })
    const handle = await client.start(delegator, { id: 'd' })
    const worker = await startWorkerProcess(namespace)
    const heard: unknown[] = []
    worker.on('message', message => heard.push(message))
    await handle.send(chore)
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(1)

    await crash(node)
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(2)
    await startTallyNode(namespace)
    const { context } = await handle.waitFor(s => s.context.results.length > 0, waiting)

    expect(context.results).toEqual(['done 4'])
    expect(heard).toEqual([expect.stringMatching(/^begun 1 /), 'ended'])
  })

  it('has one result when its worker only seemed dead, and another one was faster', async () => {
    const namespace = freshNamespace()
    const node = await startNode({ namespace, workflows: [delegator] })
    const handle = await node.client.start(delegator, { id: 'd' })
    const { begun, busy, idleHears } = await startTwo(namespace, () => handle.send(chore))

    busy.kill('SIGSTOP')
    onTestFinished(() => void busy.kill('SIGCONT'))
    expect(await idleHears).toBe(begun)
    await handle.waitFor(s => s.context.results.length > 0, waiting)
    const ended = nextMessage(busy)
    busy.kill('SIGCONT')
    expect(await ended).toBe('ended')
    await handle.send({ type: 'DO', n: 5 })
    const { context } = await handle.waitFor(s => s.context.results.length > 1, waiting)

    expect(context.results).toEqual(['done 4', 'done 5'])
  })
})
