import { Writable } from 'node:stream'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'

import { partitionsFor } from '../../actors/assignment.ts'
import { endurance } from '../../actors/endurance.ts'
import { connect, partitionOf, type Client, type SupervisedNode } from '../../src/index.ts'
import { serverWithUsers, urlOf } from '../nats/accounts.ts'
import { startNode } from '../support/node.ts'
import { tally } from '../support/workflows.ts'

const partitions = 6
const namespace = 'escalation'
/** The share of node `a` while both are alive. */
const shareOfA = [...partitionsFor('a', ['a', 'b'], partitions)]
const broken = shareOfA[0]!
/** What opening the inbox of that partition asks for. */
const denied = [`$JS.API.CONSUMER.CREATE.*.*.hf.${namespace}.in.${broken}.>`]

/** A logger, and what it was given, of a level or above. */
function logging(): { log: pino.Logger; lines: { msg: string; partition?: number }[] } {
  const lines: { msg: string; partition?: number }[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)) as { msg: string })
      done()
    },
  })
  return { log: pino({ level: 'warn' }, stream), lines }
}

async function report(client: Client, node: string): Promise<SupervisedNode> {
  const [answer] = await client.tree({ node, depth: 'partitions' })
  if (answer?.isAnswering !== true) throw new Error(`${node} does not answer`)
  return answer
}

async function brokenAt(
  client: Client,
  node: string,
): Promise<SupervisedNode['children'][number] | undefined> {
  return (await report(client, node)).children.find(({ partition }) => partition === broken)
}

/** The id of an instance in that partition. */
function idIn(wanted: number): string {
  for (let number = 0; ; number++) {
    const id = `i-${number}`
    if (partitionOf({ workflow: 'tally', id }, partitions) === wanted) return id
  }
}

describe('a partition that one of two nodes cannot serve', { timeout: 90_000 }, () => {
  it('is taken by the other one, is tried again by the first after a while, and goes back to the other', async () => {
    const server = await serverWithUsers({ publish: { deny: denied } })
    const b = await startNode({
      servers: urlOf(server, 'admin'),
      namespace,
      name: 'b',
      partitions,
      leaseTtl: '1s',
    })
    const client = await connect({ servers: urlOf(server, 'admin'), namespace })
    onTestFinished(() => client[Symbol.asyncDispose]())
    const { log, lines } = logging()
    const handles = await Promise.all(shareOfA.map(partition => client.start(tally, { id: idIn(partition) })))
    const escalations = () => lines.filter(({ msg }) => msg.startsWith('a partition fails too often here'))

    const a = await startNode({
      servers: urlOf(server, 'limited'),
      namespace,
      name: 'a',
      partitions,
      leaseTtl: '1s',
      log,
    })
    await expect.poll(() => escalations().length, { timeout: 30_000 }).toBe(1)
    const failures = lines.filter(
      ({ msg }) => msg === 'the inbox of the partition could not be opened',
    ).length
    const began = Date.now()
    await expect
      .poll(() => b.status().partitions.serving, { timeout: 5_000 })
      .toBe(partitions - shareOfA.length + 1)
    const tookMs = Date.now() - began
    const avoided = await brokenAt(client, 'a')
    const nodes = await client.nodes()
    const outcomes = await Promise.all(
      handles.map(handle => handle.update({ type: 'ADD', n: 1 }, { timeout: '20s' })),
    )

    expect(failures).toBe(endurance.intensity + 1)
    expect(escalations()).toMatchObject([{ partition: broken, msg: expect.any(String) }])
    expect(a.status().partitions.serving).toBe(shareOfA.length - 1)
    expect(tookMs).toBeLessThan(endurance.shortestAwayMs / 2)
    expect(avoided).toMatchObject({ state: 'idle', restarts: { count: endurance.intensity + 1 } })
    expect(avoided!.avoidedUntil! - began).toBeGreaterThan(endurance.shortestAwayMs / 2)
    expect(avoided!.avoidedUntil! - began).toBeLessThanOrEqual(endurance.shortestAwayMs)
    expect(nodes).toMatchObject([{ partitions: { avoided: [broken] } }, { partitions: { avoided: [] } }])
    expect(outcomes.map(({ type }) => type)).toEqual(shareOfA.map(() => 'accepted'))

    await expect.poll(() => escalations().length, { timeout: 30_000 }).toBe(2)
    await expect
      .poll(async () => (await brokenAt(client, 'b'))?.state, { timeout: 5_000 })
      .toBe('owned.serving')
    const again = await brokenAt(client, 'a')

    expect(again!.restarts.count).toBe(endurance.intensity + 2)
    expect(again!.avoidedUntil! - Date.now()).toBeGreaterThan(endurance.shortestAwayMs)
    expect((await handles[0]!.update({ type: 'ADD', n: 1 }, { timeout: '20s' })).type).toBe('accepted')
  })
})
