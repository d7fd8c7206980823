import { describe, expect, it, onTestFinished } from 'vitest'

import { connect, type Client } from '../../src/index.ts'
import { diaries, diaryEvent, doings, isAct, isWork, listenerOf, type Doing } from '../support/diaries.ts'
import { listener } from '../support/families.ts'
import { sharedServerUrl } from '../support/nats.ts'
import { scratchDir } from '../support/processes.ts'
import { randomFrom } from '../support/random.ts'
import type { Death } from './diary-process.ts'
import { heardBy, maxHoldMs, pageOf, wrongRevision, wrongsOf } from './diary-review.ts'
import { MortalNode, type Doings, type History } from './mortal-node.ts'

const stored = ['transition', 'turn', 'rest', 'every', 'chosen', 'tagged'] as const
const ids = ['a', 'b']
const eventsPerLife = 21
/** Here steps and activities are the test's to see: nobody is told of them. */
const workflows = diaries(() => {})

async function mortalNode(): Promise<MortalNode> {
  return new MortalNode(await scratchDir())
}

async function connectTo(namespace: string): Promise<Client> {
  const client = await connect({ servers: sharedServerUrl(), namespace })
  onTestFinished(() => client.close())
  return client
}

function newRandom(): () => number {
  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31)
  process.stderr.write(`test/runtime/persist-crash.test.ts SEED=${seed}\n`)
  return randomFrom(seed)
}

/** Every kind of death that is of interest, in any order; undefined: at any moment. */
function deaths(random: () => number): readonly (Death | undefined)[] {
  const each = stored.map(diary => {
    const doing = diary === 'rest' ? 'works' : doings[Math.floor(random() * doings.length)]!
    return { diary, doing, count: 1 + Math.floor(random() * (doing === 'steps' ? 20 : 4)) }
  })
  const all = [...each, undefined, undefined]
  return all
    .map(death => [random(), death] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, death]) => death)
}

describe('a node killed again and again', () => {
  it(
    'repeats what the strategy of an instance says that it may, and nothing else',
    { timeout: 120_000 },
    async () => {
      const random = newRandom()
      const node = await mortalNode()
      const instances = stored.flatMap(name => ids.map(id => ({ name, id, key: `${name}/${id}` })))
      let client: Client | undefined
      const lives: { readonly did: ReadonlyMap<string, Doings> }[] = []
      const wrongs: string[] = []
      const heldAtRestMs: number[] = []
      let found: History = new Map()
      let sent = 0
      const sendMore = async (client: Client) => {
        const until = sent + eventsPerLife
        const sending = instances.map(async ({ name, id }) => {
          await client.start(listener, { id: listenerOf(name, id), input: undefined })
          const handle = await client.start(workflows[name], { id, input: { id } })
          for (let n = until - eventsPerLife; n < until; n++) await handle.send(diaryEvent(n))
        })
        await Promise.all(sending)
        sent = until
      }

      for (const death of deaths(random)) {
        await node.start(death)
        client ??= await connectTo(node.namespace)
        const sending = sendMore(client)
        if (death === undefined) {
          await new Promise(resolve => setTimeout(resolve, random() * 150))
          await node.kill()
        } else {
          await node.died()
        }
        await sending
        const [did, left] = [await node.doings(), await node.history()]
        for (const { name, id, key } of instances) {
          const say = (what: string) => wrongs.push(`life ${lives.length}, ${key}: ${what}`)
          const done = did.get(key) ?? { steps: [], works: [], acts: [] }
          wrongsOf(name, done, pageOf(found, key), pageOf(left, key)).forEach(say)
          const revisions = left.get(key) ?? []
          for (const [index, revision] of revisions.slice(1).entries()) {
            const before = revisions[index]!
            if (name === 'rest') heldAtRestMs.push(revision.updatedAt - before.updatedAt)
            const wrong = wrongRevision(name, before, revision)
            if (wrong !== undefined) say(`a revision ${wrong}`)
          }
          const heard = heardBy(left, listenerOf(name, id))
          const seen = pageOf(left, key)?.context.seen ?? []
          const early = heard.filter(n => !seen.includes(n))
          if (early.length > 0) say(`told before the commit: ${early.join(', ')}`)
        }
        lives.push({ did })
        found = left
      }
      await node.start()
      const numbers = Array.from({ length: sent }, (_, n) => n)
      const [works, acts] = [numbers.filter(isWork), numbers.filter(isAct)]
      const ends = instances.map(async ({ name, id, key }) => {
        const handle = client!.instance(workflows[name], id)
        await handle.waitFor(({ context }) => context.done.length >= works.length, { timeout: '60s' })
        await handle.send({ type: 'FINISH' })
        const { context } = await handle.waitFor(({ status }) => status === 'done', { timeout: '60s' })
        const told = client!.instance(listener, listenerOf(name, id))
        const { context: heard } = await told.waitFor(state => state.context.heard.length >= acts.length, {
          timeout: '60s',
        })
        return { key, seen: context.seen, done: context.done, heard: heard.heard }
      })
      const ended = await Promise.all(ends)
      lives.push({ did: await node.doings() })

      expect(wrongs).toEqual([])
      expect(ended).toEqual(instances.map(({ key }) => ({ key, seen: numbers, done: works, heard: acts })))
      const timesOf = (doing: Doing, key: string) => {
        const all = lives.flatMap(({ did }) => did.get(key)?.[doing] ?? [])
        return all.reduce((times, n) => times.set(n, (times.get(n) ?? 0) + 1), new Map<number, number>())
      }
      for (const { key } of instances)
        expect([...timesOf('acts', key).keys()].toSorted(byNumber)).toEqual(acts)
      const repeatedAtRest = ids.flatMap(id =>
        [...timesOf('works', `rest/${id}`).values()].filter(n => n > 1),
      )
      expect(repeatedAtRest).not.toEqual([])
      // On arrival at rest, not only when it has been held for too long.
      expect(Math.min(...heldAtRestMs)).toBeLessThan(maxHoldMs)
    },
  )

  it('leaves nothing of an instance that is never stored', { timeout: 60_000 }, async () => {
    const random = newRandom()
    const node = await mortalNode()
    await node.start()
    const client = await connectTo(node.namespace)

    const handle = await client.start(workflows.none, { id: 'a', input: { id: 'a' } })
    for (let n = 0; n < eventsPerLife; n++) await handle.send(diaryEvent(n))
    const last = await handle.update(diaryEvent(eventsPerLife), { timeout: '30s' })
    await new Promise(resolve => setTimeout(resolve, random() * 20))
    await node.kill()
    const did = (await node.doings()).get('none/a')!
    const kept = await node.history()
    await node.start()
    const after = await handle.update(diaryEvent(0), { timeout: '30s' })

    const numbers = Array.from({ length: eventsPerLife + 1 }, (_, n) => n)
    expect(last).toMatchObject({ type: 'accepted', snapshot: { context: { seen: numbers } } })
    expect(did.steps).toEqual(numbers)
    expect(did.acts).toEqual(numbers.filter(isAct))
    expect([...kept.keys()]).toEqual([])
    expect(after).toMatchObject({ type: 'rejected', code: 'INSTANCE_NOT_FOUND' })
  })
})

function byNumber(a: number, b: number): number {
  return a - b
}
