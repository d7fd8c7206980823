import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'

import { claimStore } from '../../src/nats/server/claim.ts'
import { scratchDir } from '../support/processes.ts'

it('one store has one server, however many want it after a crash', async () => {
  const dir = await scratchDir()
  const mark = join(dir, 'nats-server.conf')
  const pids = await Promise.all([1, 2, 3, 4].map(() => waitingProcess(mark)))
  const owners: number[] = []
  for (let round = 0; round < 60; round++) {
    const storeDir = join(dir, String(round))
    await mkdir(storeDir)
    // Of a server that was killed.
    await writeFile(join(storeDir, 'nats-server.pid'), '999999\n')
    const giveUp = new AbortController()
    let count = 0
    const claims = pids.map(async (pid, n) => {
      // They come upon it within some milliseconds of each other, in another order each time.
      await sleep((round * (n + 1)) % 7)
      await claimStore(storeDir, pid, mark, giveUp.signal).then(
        () => count++,
        () => {},
      )
    })
    await Promise.race(claims)
    await sleep(40)
    giveUp.abort()
    await Promise.all(claims)
    owners.push(count)
  }

  expect(owners).toEqual(owners.map(() => 1))
}, 60_000)

/** A process that is alive, and that its command line tells from others. */
async function waitingProcess(mark: string): Promise<number> {
  const args = ['-c', 'read -r x', 'holdfast-gate', mark]
  const child = spawn('/bin/sh', args, { stdio: ['pipe', 'ignore', 'ignore'] })
  await once(child, 'spawn')
  onTestFinished(() => void child.kill('SIGKILL'))
  return child.pid!
}
