import { expect, it } from 'vitest'

import { gatherer } from '../support/bulks.ts'
import { child } from '../support/families.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { startNode } from '../support/node.ts'
import { run } from './surroundings.ts'

it('holdfast show tells how far a bulk is', async () => {
  const namespace = freshNamespace()
  const { client } = await startNode({ namespace, workflows: [gatherer, child] })
  const input = { count: 120, failEvery: 60, waitEvery: 2 }
  const handle = await client.start(gatherer, { id: 'g', input })
  await handle.waitFor(s => s.activities[0]?.bulk?.running.length === 60, { timeout: '20s' })

  const { code, stdout } = await run(['show', 'gatherer/g', '--namespace', namespace], {
    server: sharedServerUrl(),
  })

  expect(code).toBe(0)
  expect(stdout).toMatch(/ACTIVITY.* NOW/)
  expect(stdout).toMatch(/ all .* 60 of 120 done, 60 running/)
})
