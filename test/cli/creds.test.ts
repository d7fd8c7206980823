import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { nkeys } from 'nats'
import { expect, it } from 'vitest'

import { ownServer } from '../support/nats.ts'
import { startNode } from '../support/node.ts'
import { scratchDir } from '../support/processes.ts'
import { tally } from '../support/workflows.ts'
import { run } from './surroundings.ts'

it('the command line logs in with a file of credentials, and says which file it cannot read', async () => {
  const user = nkeys.createUser()
  const users = [{ nkey: user.getPublicKey() }, { user: 'node', password: 'pass' }]
  const authorization = `authorization: ${JSON.stringify({ users })}`
  const server = await ownServer({ extraConfig: authorization })
  const node = await startNode({
    servers: server.url,
    user: 'node',
    pass: 'pass',
    namespace: 'default',
    workflows: [tally],
  })
  await node.client.start(tally, { id: 'one', input: undefined })
  const folder = await scratchDir()
  await writeFile(join(folder, 'user.creds'), credsOf(new TextDecoder().decode(user.getSeed())))
  const holdfast = (...args: readonly string[]) => run(args, { folder, server: server.url })

  const listed = await holdfast('list', '--creds', 'user.creds')
  const refused = await holdfast('list')
  const missing = await holdfast('list', '--creds', 'no.creds')

  expect([listed.code, listed.stdout]).toEqual([0, expect.stringContaining('tally/one')])
  expect(refused.stderr).toMatch(/^error PERMISSION_DENIED/)
  expect(missing).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--creds cannot be read: ENOENT'),
  })
})

/** As a server without an operator takes it: it looks at the key alone. */
function credsOf(seed: string): string {
  return `-----BEGIN NATS USER JWT-----
eyJ0eXAiOiJKV1QifQ.e30.c2ln
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${seed}
------END USER NKEY SEED------
`
}
