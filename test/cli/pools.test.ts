import { expect, it } from 'vitest'

import { pool } from '../../src/index.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { startNode } from '../support/node.ts'
import { visitor } from '../support/pools.ts'
import { jobOf, Site } from '../support/queueing.ts'
import { run } from './surroundings.ts'

it('holdfast pools lists who holds permits and how many wait, for people and for programs', async () => {
  const namespace = freshNamespace()
  const { client } = await startNode({ namespace, workflows: [visitor] })
  const pools = async (...args: string[]) =>
    (await run(['pools', ...args, '--namespace', namespace], { server: sharedServerUrl() })).stdout
  const none = [await pools(), await pools('sites'), await pools('--json')]
  for (const id of ['a', 'b', 'c', 'd']) {
    const handle = await client.start(visitor, { id, input: {} })
    await handle.waitFor(s => s.activities.length > 0, { timeout: '10s' })
    const isKnown = async () => {
      const pool = await client.pool('sites')
      return (pool?.held.length ?? 0) + (pool?.waiting ?? 0)
    }
    await expect.poll(isKnown, { timeout: 10_000 }).toBe(['a', 'b', 'c', 'd'].indexOf(id) + 1)
  }
  await client.instance(visitor, 'a').waitFor(s => s.matches({ onSite: 'inside' }), { timeout: '10s' })

  const shown = await run(['show', 'visitor/a', '--namespace', namespace], { server: sharedServerUrl() })

  expect(none).toEqual(['no pools yet\n', 'nobody has asked for that pool yet\n', '[]\n'])
  expect(await pools()).toMatch(/^POOL +PERMITS +HELD +WAITING\nsites +3 +3 +1\n$/)
  expect(await pools('sites')).toMatch(/\n\nHOLDER +PERMITS\nvisitor\/a +1\nvisitor\/b +1\nvisitor\/c +1\n$/)
  expect(JSON.parse(await pools('sites', '--json'))).toEqual([
    {
      name: 'sites',
      permits: 3,
      held: ['visitor/a', 'visitor/b', 'visitor/c'].map(address => ({ address, permits: 1 })),
      waiting: 1,
    },
  ])
  expect(shown.stdout).toContain('holds permits of pool sites')
})

it('holdfast show and holdfast tree tell which activities wait for a pool, and which have a permit', async () => {
  const namespace = freshNamespace()
  const cli = async (...args: string[]) =>
    (await run([...args, '--namespace', namespace], { server: sharedServerUrl() })).stdout
  const options = { pool: pool({ name: 'beds', permits: 1 }), timeout: { pool: '5m' } } as const
  const { client } = await startNode({ namespace, workflows: [jobOf(new Site(), options)] })
  for (const [index, name] of ['first', 'second'].entries()) {
    await client.start('job', { id: name, input: { name } })
    const isKnown = async () => {
      const beds = await client.pool('beds')
      return (beds?.held.length ?? 0) + (beds?.waiting ?? 0)
    }
    await expect.poll(isKnown, { timeout: 10_000 }).toBe(index + 1)
  }
  await client.instance('job', 'first').waitFor(s => s.running.length === 1, { timeout: '10s' })

  const shown = [await cli('show', 'job/first'), await cli('show', 'job/second')]
  const tree = await cli('tree')

  expect(shown[0]).toMatch(/\n +work .* running, by pool beds/)
  expect(shown[1]).toMatch(/\n +work .* waits for pool beds, at the latest in (5 min|4 min \d+ s)/)
  expect(tree).toMatch(/job\/first {2}working\n.* work {2}attempt 1 running {2}since/)
  expect(tree).toMatch(/job\/second {2}working\n.* work {2}attempt 1 waits for pool beds {2}since/)
})
