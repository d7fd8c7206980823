import { beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { createNode, type Node } from '../../src/index.ts'
import { connectNats } from '../../src/nats/connection.ts'
import { openNamespace } from '../../src/nats/provision.ts'
import { systemClock } from '../../src/clock.ts'
import { until } from '../contract/until.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { collect } from '../support/node.ts'
import { tally } from '../support/workflows.ts'
import { run, type RunResult } from './surroundings.ts'

const namespace = freshNamespace()
const servers = sharedServerUrl()
let node: Node

beforeAll(async () => {
  node = await createNode({ servers, namespace, partitions: 4, workflows: [tally], log: 'silent' })
  return () => node.stop()
})

beforeEach(async () => {
  await node.client.deadLetters.discardAll()
})

function dead(...args: readonly string[]): Promise<RunResult> {
  return run(['dead', ...args, '--namespace', namespace], { server: servers })
}

/** Sends an event to an instance that is not there; answers where the letter is. */
async function bury(id: string, n = 7): Promise<string> {
  const { client } = node
  const before = (await collect(client.deadLetters.list())).length
  await client.instance(tally, id).send({ type: 'ADD', n })
  await until(async () => (await collect(client.deadLetters.list())).length > before)
  return String((await collect(client.deadLetters.list())).at(-1)!.seq)
}

/** Keeps bytes that are no envelope among the dead letters. */
async function buryBytes(bytes: string): Promise<string> {
  const connection = await connectNats({ clock: systemClock, servers })
  const { subjects } = await openNamespace(connection, namespace)
  await connection.publish(subjects.envelope(0, { workflow: 'tally', id: 'x' }), Buffer.from(bytes))
  await connection.close()
  await until(async () => (await collect(node.client.deadLetters.list())).length > 0)
  return String((await collect(node.client.deadLetters.list())).at(-1)!.seq)
}

describe('dead', () => {
  it('lists letters, the oldest first, in a table and a line each', async () => {
    const seqs = [await bury('a'), await bury('b')]

    const table = await dead()
    const json = await dead('list', '--json')

    const [titles, ...rows] = table.stdout.trimEnd().split('\n')
    expect(titles).toMatch(/^ *SEQ +AGE +CODE +FOR +WHAT +REASON$/)
    expect(
      rows.map(row =>
        row
          .trim()
          .split(/ {2,}/)
          .filter((_, at) => at !== 1),
      ),
    ).toEqual([
      [seqs[0], 'INSTANCE_NOT_FOUND', 'tally/a', 'ADD', 'tally/a does not exist: start it first'],
      [seqs[1], 'INSTANCE_NOT_FOUND', 'tally/b', 'ADD', 'tally/b does not exist: start it first'],
    ])
    const documents = json.stdout.trimEnd().split('\n')
    expect(documents.map(line => (JSON.parse(line) as { seq: number }).seq)).toEqual(seqs.map(Number))
    expect(JSON.parse(documents[0]!)).toMatchObject({
      address: 'tally/a',
      code: 'INSTANCE_NOT_FOUND',
      envelope: { type: 'send', event: { type: 'ADD', n: 7 } },
    })
  })

  it('lists what a filter lets through, and the newest of it', async () => {
    for (const id of ['a', 'a', 'b']) await bury(id)
    const rows = async (...args: readonly string[]) =>
      (await dead('list', '--json', ...args)).stdout.split('\n').length - 1

    expect(await rows('--id', 'a')).toBe(2)
    expect(await rows('--workflow', 'other')).toBe(0)
    expect(await rows('--code', 'INSTANCE_NOT_FOUND', '--since', '1h')).toBe(3)
    expect(await rows('--limit', '1')).toBe(1)
    expect((await dead('--limit', '1')).stdout).toMatch(
      /tally\/b .*\n… after 2 older; --limit 0 shows all\n$/,
    )
    expect((await dead('--id', 'c')).stdout).toBe('no such dead letters\n')
  })

  it('says that there are none', async () => {
    expect(await dead()).toEqual({ code: 0, stdout: 'no dead letters\n', stderr: '' })
    expect((await dead('--json')).stdout).toBe('')
  })

  it('shows a letter with its envelope', async () => {
    const seq = await bury('a')

    const { stdout } = await dead('show', seq)
    const json = await dead('show', seq, '--json')

    expect(stdout).toMatch(new RegExp(`^dead letter ${seq}  INSTANCE_NOT_FOUND\n`))
    expect(stdout).toContain('\n  For       tally/a\n')
    expect(stdout).toContain("event: { type: 'ADD', n: 7 }")
    expect(JSON.parse(json.stdout)).toMatchObject({ seq: Number(seq), envelope: { event: { n: 7 } } })
  })

  it('shows the bytes of what is no envelope, harmlessly, and does not replay it', async () => {
    const seq = await buryBytes('{"id":\u001B[31m')

    const { stdout } = await dead('show', seq)
    const one = await dead('replay', seq)
    const all = await dead('replay', '--all', '--yes')

    expect(stdout).toContain('\nBytes\n  {"id":\\u001b[31m\n')
    expect(stdout).toContain('No replay the envelope cannot be read as JSON')
    expect([one.code, one.stdout]).toEqual([9, ''])
    expect(one.stderr).toContain(`error ENVELOPE_MALFORMED: dead letter ${seq} cannot be replayed: `)
    expect(all.stdout).toBe(
      'replayed 0 dead letters\n1 cannot be replayed and are left: dead show says why\n',
    )
  })

  it('replays one, which is then none any more', async () => {
    const seq = await bury('replayed')
    await node.client.start(tally, { id: 'replayed', until: 'accepted' })

    expect(await dead('replay', seq)).toEqual({
      code: 0,
      stdout: `replayed dead letter ${seq}\n`,
      stderr: '',
    })

    await node.client.instance(tally, 'replayed').waitFor(s => s.context.count === 7)
    const again = await dead('replay', seq)
    expect(again.code).toBe(4)
    expect(again.stderr).toMatch(/^error DEAD_LETTER_NOT_FOUND: .*\n {2}those there are: holdfast dead\n$/)
  })

  it('discards one', async () => {
    const seq = await bury('a')

    expect((await dead('discard', seq, '--json')).stdout).toBe(`{"seq":${seq},"discarded":1}\n`)

    expect((await dead()).stdout).toBe('no dead letters\n')
    expect((await dead('discard', seq)).code).toBe(4)
    expect((await dead('show', seq)).code).toBe(4)
  })

  it('replays and discards all that a filter lets through, only when that is meant', async () => {
    for (const id of ['many', 'many', 'other', 'other']) await bury(id)
    await node.client.start(tally, { id: 'many', until: 'accepted' })

    const unmeant = [await dead('replay', '--all', '--id', 'many'), await dead('discard', '--all')]
    const replayed = await dead('replay', '--all', '--yes', '--id', 'many')
    const discarded = await dead('discard', '--all', '--yes', '--json')

    expect(unmeant.map(({ code }) => code)).toEqual([2, 2])
    expect(replayed.stdout).toBe('replayed 2 dead letters\n')
    expect(discarded.stdout).toBe('{"discarded":2}\n')
    await node.client.instance(tally, 'many').waitFor(s => s.context.count === 14)
  })

  it.each([
    [['lst'], "dead does not know 'lst'; did you mean list?"],
    [['list', '7'], "dead list does not take '7'"],
    [['show'], 'dead show needs <seq>'],
    [['show', 'x'], '<seq> must be a whole number from 1'],
    [['show', '0'], '<seq> must be a whole number from 1'],
    [['replay'], 'dead replay needs either <seq> or --all'],
    [['discard', '7', '--all'], 'dead discard needs either <seq> or --all'],
    [['list', '--all'], 'dead list does not take --all'],
    [['replay', '--all', '--yes', '--again'], '--again is for dead replay <seq>'],
    [['replay', '7', '--code', 'X'], 'dead replay <seq> does not take --code'],
    [['list', '--since', 'yesterday'], '--since must be a number with a unit'],
  ])('%j is not understood', async (args, message) => {
    const { code, stderr, stdout } = await dead(...args)

    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(`error USAGE: ${message}`)
  })
})
