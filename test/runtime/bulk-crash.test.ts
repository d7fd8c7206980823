import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { connect } from '../../src/index.ts'
import { gatherer } from '../support/bulks.ts'
import { child } from '../support/families.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { collect } from '../support/node.ts'
import { forkScript, nextMessage } from '../support/processes.ts'
import { randomFrom } from '../support/random.ts'

const script = join(import.meta.dirname, 'node-process.ts')
const count = 3000
const failEvery = 100
const kills = 6

async function startProcess(namespace: string): Promise<ChildProcess> {
  const node = forkScript(script, sharedServerUrl(), namespace)
  await nextMessage(node)
  return node
}

async function crash(node: ChildProcess): Promise<void> {
  const exited = once(node, 'exit')
  node.kill('SIGKILL')
  await exited
}

describe('a bulk whose node is killed again and again', () => {
  it(
    'has the exact set of results in the end, and every child ran to its end',
    { timeout: 240_000 },
    async () => {
      const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
      process.stderr.write(`test/runtime/bulk-crash.test.ts SEED=${seed}\n`)
      const random = randomFrom(seed)
      const namespace = freshNamespace()
      let node = await startProcess(namespace)
      await using client = await connect({ servers: sharedServerUrl(), namespace })
      const handle = await client.start(gatherer, { id: 'g', input: { count, failEvery } })

      for (let kill = 0; kill < kills; kill++) {
        const least = (count * (kill + random())) / kills
        await handle.waitFor(s => s.matches('gathered') || s.activities[0]!.bulk!.completed >= least, {
          timeout: '120s',
        })
        await new Promise(resolve => setTimeout(resolve, random() * 100))
        await crash(node)
        node = await startProcess(namespace)
      }
      const { context } = await handle.waitFor(s => s.matches('gathered'), { timeout: '120s' })

      const failed = count / failEvery
      expect(context.outcome).toMatchObject({ total: count, succeeded: count - failed, failed })
      const results = await collect(client.bulkResults(context.outcome!.results))
      const shown = results
        .toSorted((a, b) => a.index - b.index)
        .map(result => (result.status === 'done' ? [result.index, result.output] : [result.index, 'failed']))
      expect(shown).toEqual(
        Array.from({ length: count }, (_, index) => [
          index,
          index % failEvery === failEvery - 1 ? 'failed' : index * index,
        ]),
      )
      const children = await collect(client.list({ workflow: child }))
      expect(children).toHaveLength(count)
      expect(children.filter(({ status }) => status === 'running')).toEqual([])
    },
  )
})
