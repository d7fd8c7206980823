import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import type { InstanceRecord } from '../../actors/record.ts'
import { connect } from '../../src/index.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { codeOf } from '../support/node.ts'
import { holdersAtOnce } from '../support/permit-holders.ts'
import { forkScript, nextMessage, scratchDir } from '../support/processes.ts'
import { randomFrom } from '../support/random.ts'
import { bedCount, patientOf } from '../support/wards.ts'

const script = join(import.meta.dirname, 'ward-process.ts')
const count = 150
const kills = 5

/** Nodes in processes of their own, and what their attempts have written down. */
class Ward {
  readonly namespace = freshNamespace()
  readonly file: string

  constructor(file: string) {
    this.file = file
  }

  async startNode(name: string): Promise<ChildProcess> {
    const node = forkScript(script, sharedServerUrl(), this.namespace, name, this.file)
    await nextMessage(node)
    return node
  }

  /** Kills it, and with it all its attempts. */
  async crash(node: ChildProcess): Promise<void> {
    const exited = once(node, 'exit')
    node.kill('SIGKILL')
    await exited
    await appendFile(this.file, `died ${node.pid}\n`)
  }

  /** How many attempts ran at a time, at most, in all processes together; and how many ran twice at a time. */
  async attempts(): Promise<{ begun: number; most: number; twice: number }> {
    const running = new Map<string, string>()
    let [begun, most, twice] = [0, 0, 0]
    for (const line of (await readFile(this.file, 'utf8')).trimEnd().split('\n')) {
      const [what, pid = '', key = ''] = line.split(' ')
      if (what === 'died') {
        for (const [at, by] of running) if (by === pid) running.delete(at)
      } else if (what === 'ended') {
        if (running.get(key) === pid) running.delete(key)
      } else {
        begun++
        if (running.has(key)) twice++
        running.set(key, pid)
        most = Math.max(most, running.size)
      }
    }
    return { begun, most, twice }
  }
}

function hasPermit({ activities }: InstanceRecord): boolean {
  return activities.some(({ permit }) => permit?.isHeld === true)
}

describe('activities with a pool, whose nodes are killed again and again', () => {
  it(
    'never run more at once than its permits, all of them, and the pool is empty in the end',
    { timeout: 240_000 },
    async () => {
      const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
      process.stderr.write(`test/runtime/pooled-crash.test.ts SEED=${seed}\n`)
      const random = randomFrom(seed)
      const file = join(await scratchDir(), 'attempts')
      await writeFile(file, '')
      const ward = new Ward(file)
      const patient = patientOf(file)
      const nodes = await Promise.all(['n0', 'n1'].map(name => ward.startNode(name)))
      await using client = await connect({ servers: sharedServerUrl(), namespace: ward.namespace })
      const handles = await Promise.all(
        Array.from({ length: count }, (_, n) => {
          const input = { treatmentMs: 5 + random() * 40, relapses: n % 4 === 0 ? 1 : 0 }
          return client.start(patient, { id: `p-${n}`, input })
        }),
      )
      const isOver = ({ status }: { status: string }) => status === 'done' || status === 'cancelled'
      const ends = handles.map(handle => handle.waitFor(isOver, { timeout: '200s' }))

      for (let kill = 0; kill < kills; kill++) {
        const nth = Math.floor((count * (kill + 0.5)) / kills)
        await Promise.race(ends.slice(nth))
        // Whether they are done, at work or wait.
        const leaving = [1, 2, 3].map(() => handles[Math.floor(random() * count)]!)
        const left = Promise.all(leaving.map(handle => codeOf(handle.cancel({ reason: 'no more' }))))
        await new Promise(resolve => setTimeout(resolve, random() * 60))
        const which = random() < 0.5 ? 0 : 1
        await ward.crash(nodes[which]!)
        nodes[which] = await ward.startNode(`n${which}`)
        for (const code of await left) expect(['no error', 'INSTANCE_FINISHED']).toContain(code)
      }
      const snapshots = await Promise.all(ends)
      const empty = { permits: bedCount, held: [], waiting: 0 }
      await expect.poll(() => client.pool('beds'), { timeout: 30_000 }).toMatchObject(empty)

      const done = snapshots.filter(({ status }) => status === 'done')
      const { begun, most, twice } = await ward.attempts()
      const held = await holdersAtOnce(ward.namespace, patient.name, hasPermit)
      process.stderr.write(`${begun} attempts for ${count} patients, ${count - done.length} cancelled\n`)
      expect({ most, twice }).toEqual({ most: bedCount, twice: 0 })
      expect(held.most).toBe(bedCount)
      expect(done.length).toBeGreaterThanOrEqual(count - 15)
      expect(done.every(({ output, context }) => (output ?? 0) > context.relapses)).toBe(true)
    },
  )
})
