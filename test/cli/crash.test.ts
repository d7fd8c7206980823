import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { createActor, SimulatedClock } from 'xstate'

import { pullRequest } from '../../actors/workflows/pull-request.ts'
import { toPullRequestEvent, type PullRequestEvent } from '../../actors/workflows/pull-request-events.ts'
import { loadFeed } from '../../actors/workflows/pull-request-feed.ts'
import { connect } from '../../src/client/connect.ts'
import { scratchDir } from '../support/processes.ts'
import { DevProcess } from './cli-process.ts'

const kills = 20
const total = loadFeed().length
/** So many of the kills come before or while the feed opens, the others while it runs. */
const earlyShare = 0.25
/** So many more may be applied than were waited for, before the kill. */
const slack = 6

it(
  `applies every payload exactly once, whatever ${kills} kills of holdfast dev interrupt`,
  { timeout: 300_000 },
  async () => {
    const seed = Number(process.env['CRASH_SEED'] ?? randomInt(2 ** 31))
    process.stderr.write(`crash test: CRASH_SEED=${seed}\n`)
    const random = randomFrom(seed)
    const folder = await scratchDir()
    const killedAt: number[] = []

    for (let round = 0; round < kills; round += 1) {
      const run = new DevProcess(folder, ['--feed', '--pace', '8ms'])
      onTestFinished(() => void run.child.kill('SIGKILL'))
      const reached = killedAt.at(-1) ?? 0
      const step = Math.ceil((random() * 2 * (total - reached)) / (kills - round + 1))
      const target = Math.min(reached + step, total - slack * (kills - round))
      const isThere = run.line('applied', ({ count }) => (count as number) >= target)
      if (random() < earlyShare && round > 0) await Promise.race([isThere, delay(random() * 1_500)])
      else await isThere.then(() => delay(random() * 15))
      const applied = run.lines.findLast(({ type }) => type === 'applied')
      killedAt.push(Math.max(killedAt.at(-1) ?? 0, (applied?.['count'] as number | undefined) ?? 0))
      await run.end('SIGKILL')
    }
    const last = new DevProcess(folder, ['--feed'])
    onTestFinished(() => void last.child.kill('SIGKILL'))
    // Should some be lost, the comparison shows which.
    const hurried = delay(60_000, undefined, { ref: false })
    await Promise.race([last.line('applied', ({ count }) => count === total), hurried])
    const stored = await readAll(await last.url())

    process.stderr.write(`crash test: killed when ${killedAt.join(', ')} were applied\n`)
    expect(killedAt.at(-1)).toBeLessThan(total)
    expect(stored).toEqual(plainRun())
  },
)

interface Result {
  readonly value: unknown
  readonly context: unknown
}

/** Every pull request as stored, by id. */
async function readAll(url: string): Promise<Record<string, Result>> {
  const client = await connect({ servers: url })
  onTestFinished(() => client.close())
  const results: Record<string, Result> = {}
  for await (const { address } of client.list({ workflow: pullRequest })) {
    const handle = client.instance(pullRequest, address.id)
    // Answered once everything sent before it has been applied, and itself changes nothing.
    await handle.update({ type: 'test.barrier' } as unknown as PullRequestEvent)
    const { context, value } = (await handle.get())!
    results[address.id] = { context, value }
  }
  return results
}

/** The same payloads in plain XState, without us. */
function plainRun(): Record<string, Result> {
  const actors = new Map<string, ReturnType<typeof startActor>>()
  const startActor = (input: { repository: string; number: number }) =>
    createActor(pullRequest.machine, { clock: new SimulatedClock(), input }).start()
  for (const { name, payload } of loadFeed()) {
    const { event, id, input } = toPullRequestEvent(name, payload)!
    const actor = actors.get(id) ?? startActor(input)
    actors.set(id, actor)
    actor.send(event)
  }
  const entries = [...actors].map(([id, actor]) => {
    const { context, value } = actor.getSnapshot()
    return [id, { context, value }] as const
  })
  return Object.fromEntries(entries)
}

/** Numbers in [0, 1) that are the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
