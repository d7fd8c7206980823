import type { Client } from '../../src/index.ts'
import type { Accepted } from './load.ts'
import { counter, doubler, type Tally } from './workload.ts'

/** How long nothing may change before what is missing counts as lost. */
const patienceMs = 30_000
/** Instances read at the same time. */
const width = 64

/** Waits until everything accepted is done, and answers what is wrong: nothing, if all is well. */
export async function check(
  client: Client,
  accepted: ReadonlyMap<string, Accepted>,
): Promise<readonly string[]> {
  let wrong = new Map([...accepted.keys()].map(id => [id, ['not read']] as [string, readonly string[]]))
  let changedAt = performance.now()
  let before = ''
  while (wrong.size > 0 && performance.now() - changedAt < patienceMs) {
    const tallies = await readAll(client, accepted)
    wrong = new Map()
    for (const [id, expected] of accepted) {
      const problems = problemsOf(id, expected, tallies)
      if (problems.length > 0) wrong.set(id, problems)
    }
    const now = JSON.stringify([...wrong])
    if (now !== before) changedAt = performance.now()
    before = now
  }
  const all = [...wrong].flatMap(([id, problems]) => problems.map(problem => `${id}: ${problem}`))
  return [...all, ...(await childProblems(client, accepted, changedAt))]
}

async function readAll(
  client: Client,
  accepted: ReadonlyMap<string, Accepted>,
): Promise<ReadonlyMap<string, Tally>> {
  const tallies = new Map<string, Tally>()
  const ids = [...accepted.keys()]
  const read = async () => {
    for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
      const snapshot = await client.instance(counter, id).get()
      if (snapshot !== undefined) tallies.set(id, snapshot.context)
    }
  }
  await Promise.all(Array.from({ length: width }, read))
  return tallies
}

function problemsOf(id: string, expected: Accepted, tallies: ReadonlyMap<string, Tally>): string[] {
  const tally = tallies.get(id)
  if (tally === undefined) return ['was started and does not exist']
  const heard = tallies.get(tally.peer)?.last[`counter/${id}`] ?? 0
  const same: readonly (readonly [string, number, number])[] = [
    ['steps applied', tally.last['client'] ?? 0, expected.steps],
    ['activities asked for', tally.asked.work, expected.works],
    ['activities done', tally.done.work, expected.works],
    ['timers asked for', tally.asked.wait, expected.waits],
    ['timers fired', tally.done.wait, expected.waits],
    ['children asked for', tally.asked.child, expected.children],
    ['children done', tally.done.child, expected.children],
    ['messages posted', tally.posted, expected.posts],
    ['messages heard', heard, expected.posts],
  ]
  return [
    ...tally.violations,
    ...same
      .filter(([, found, wanted]) => found !== wanted)
      .map(([what, found, wanted]) => `${what}: ${found} instead of ${wanted}`),
  ]
}

/** Every child there is has ended, and there are as many as were asked for. */
async function childProblems(
  client: Client,
  accepted: ReadonlyMap<string, Accepted>,
  from: number,
): Promise<readonly string[]> {
  const problems: string[] = []
  const seen = new Set<string>()
  for await (const { address, status } of client.list({ workflow: doubler })) {
    seen.add(address.id)
    if (status !== 'done') problems.push(`child ${address.id} is ${status}`)
  }
  let wanted = 0
  for (const { children } of accepted.values()) wanted += children
  if (seen.size !== wanted) problems.push(`there are ${seen.size} children instead of ${wanted}`)
  // A list may come from a replica that was away.
  const isOver = problems.length === 0 || performance.now() - from > patienceMs
  return isOver ? problems : childProblems(client, accepted, from)
}
