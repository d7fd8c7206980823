import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import type { InstanceRecord } from '../../actors/record.ts'
import { connect } from '../../src/index.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { holdersAtOnce } from '../support/permit-holders.ts'
import { siteSize, visitor } from '../support/pools.ts'
import { forkScript, nextMessage } from '../support/processes.ts'
import { randomFrom } from '../support/random.ts'

const script = join(import.meta.dirname, 'node-process.ts')
const count = 200
const kills = 5

async function startProcess(namespace: string, name: string): Promise<ChildProcess> {
  const options = { name, leaseTtl: '1s' }
  const node = forkScript(script, sharedServerUrl(), namespace, JSON.stringify(options))
  await nextMessage(node)
  return node
}

async function crash(node: ChildProcess): Promise<void> {
  const exited = once(node, 'exit')
  node.kill('SIGKILL')
  await exited
}

function isInside({ snapshot }: InstanceRecord): boolean {
  return (snapshot.value as { onSite?: string }).onSite === 'inside'
}

describe('a pool whose nodes are killed again and again', () => {
  it(
    'never gives more than it has, serves everybody, and is empty in the end',
    { timeout: 240_000 },
    async () => {
      const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
      process.stderr.write(`test/runtime/pool-crash.test.ts SEED=${seed}\n`)
      const random = randomFrom(seed)
      const namespace = freshNamespace()
      const nodes = await Promise.all(['n0', 'n1'].map(name => startProcess(namespace, name)))
      await using client = await connect({ servers: sharedServerUrl(), namespace })
      const handles = await Promise.all(
        Array.from({ length: count }, (_, n) =>
          client.start(visitor, { id: `v-${n}`, input: { stayMs: 5 + random() * 40 } }),
        ),
      )

      for (let kill = 0; kill < kills; kill++) {
        // In the middle: so many are through.
        const nth = Math.floor((count * (kill + 0.5)) / kills)
        await Promise.race(handles.slice(nth).map(handle => handle.result({ timeout: '120s' })))
        await new Promise(resolve => setTimeout(resolve, random() * 60))
        const which = random() < 0.5 ? 0 : 1
        await crash(nodes[which]!)
        nodes[which] = await startProcess(namespace, `n${which}`)
      }
      const results = await Promise.all(handles.map(handle => handle.result({ timeout: '120s' })))
      const empty = { permits: siteSize, held: [], waiting: 0 }
      await expect.poll(() => client.pool('sites'), { timeout: 30_000 }).toMatchObject(empty)

      expect(new Set(results)).toEqual(new Set(['seen']))
      expect(await holdersAtOnce(namespace, visitor.name, isInside)).toEqual({ most: siteSize, ever: count })
    },
  )
})
