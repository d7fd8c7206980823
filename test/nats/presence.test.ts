import { expect, it } from 'vitest'

import { claimName } from '../../src/nats/presence.ts'
import { natsFixture, testConnection } from '../contract/fixtures.ts'

it('only one of several nodes that start at the same time gets a name, and the next one when that has ended', async () => {
  const { connection, namespace } = await natsFixture()
  const connections = [connection, await testConnection(), await testConnection()]

  const ends = await Promise.allSettled(
    connections.map((each, n) => claimName(each, namespace, { name: 'n', incarnation: `i-${n}` })),
  )

  const claimed = ends.filter(({ status }) => status === 'fulfilled')
  const refusals = ends.flatMap(end => (end.status === 'rejected' ? [end.reason as Error] : []))
  expect(claimed).toHaveLength(1)
  expect(refusals).toMatchObject([{ code: 'NODE_NAME_TAKEN' }, { code: 'NODE_NAME_TAKEN' }])
  for (const end of ends) if (end.status === 'fulfilled') end.value()
  await Promise.all(connections.map(({ nc }) => nc.flush()))
  await expect(claimName(connection, namespace, { name: 'n', incarnation: 'next' })).resolves.toBeTypeOf(
    'function',
  )
})
