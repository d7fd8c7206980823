import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import type { Client } from '../../src/client/client.ts'
import { connect } from '../../src/client/connect.ts'
import { DevProcess, runCli, spawnCli } from './cli-process.ts'
import { run } from './surroundings.ts'

let folder: string
let dev: DevProcess
let server: string
let client: Client

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-cli-'))
  dev = new DevProcess(folder)
  server = await dev.url()
  client = await connect({ servers: server })
})

afterAll(async () => {
  await client.close()
  await dev.end('SIGKILL')
  await rm(folder, { force: true, maxRetries: 5, recursive: true })
})

const address = { name: 'A', street: 'B', city: 'C', postalCode: 'D', country: 'PL' }

function order(orderId: string, token = 'tok_visa'): string {
  const items = [{ sku: 'TEAPOT', quantity: 2, unitPriceCents: 1_200 }]
  return JSON.stringify({ orderId, items, card: { token, last4: '4242' }, address })
}

async function untilState(workflow: string, id: string, state: string): Promise<void> {
  await client.instance(workflow, id).waitFor(snapshot => snapshot.matches(state), { timeout: '20s' })
}

describe('an order, from start to result', { timeout: 60_000 }, () => {
  it('goes through every command, for people', async () => {
    await writeFile(join(folder, 'order.json'), order('o-1'))

    const started = await runCli(folder, ['start', 'order-fulfilment', 'o-1', '--input-file', 'order.json'])
    await untilState('order-fulfilment', 'o-1', 'awaitingShipment')
    const shown = await runCli(folder, ['show', 'order-fulfilment/o-1'])
    const ignored = await runCli(folder, ['update', 'order-fulfilment/o-1', 'SNEEZED'])
    const sent = await runCli(folder, [
      'send',
      'order-fulfilment/o-1',
      'SHIPPED',
      '--data',
      '{"trackingNumber":"1Z"}',
    ])
    const result = await runCli(folder, ['result', 'order-fulfilment/o-1', '--timeout', '20s'])
    const listed = await runCli(folder, ['list', '--workflow', 'order-fulfilment'])

    expect(started.stdout).toMatch(/^started order-fulfilment\/o-1 {2}\w+/)
    expect(shown.stdout).toMatch(/^order-fulfilment\/o-1 {2}running\n\n {2}State {5}awaitingShipment\n/)
    expect(shown.stdout).toContain("paymentId: 'payment-o-1'")
    expect(shown.stdout).toMatch(/\nTimers\n.*\n {2}xstate\.after\.shippingDeadline\.\S+ {2}in 2 d 23 h {2}/)
    expect(ignored.stdout).toBe(
      'ignored order-fulfilment/o-1 has no transition for SNEEZED in awaitingShipment\n',
    )
    expect(sent.stdout).toBe('sent SHIPPED to order-fulfilment/o-1\n')
    expect(JSON.parse(result.stdout)).toMatchObject({
      orderId: 'o-1',
      status: 'fulfilled',
      trackingNumber: '1Z',
    })
    expect(listed.stdout).toMatch(/^INSTANCE .*\norder-fulfilment\/o-1 +done +fulfilled +SHIPPED +\d+ s$/m)
    for (const { code, stderr } of [started, shown, ignored, sent, result, listed]) {
      expect([code, stderr]).toEqual([0, ''])
    }
  })

  it('goes through every command, for programs', async () => {
    const name = 'order-fulfilment/o/2 ż'
    const json = async (args: readonly string[], input?: string) => {
      const { code, stderr, stdout } = await runCli(folder, [...args, '--json'], input)
      expect([code, stderr, stdout.split('\n').length]).toEqual([0, '', 2])
      return JSON.parse(stdout) as Record<string, unknown>
    }

    const started = await json(['start', 'order-fulfilment', 'o/2 ż', '--input', '-'], order('o-2'))
    await untilState('order-fulfilment', 'o/2 ż', 'awaitingShipment')
    const shown = await json(['show', name])
    const updated = await json(['update', name, '{"type":"CUSTOMER_CANCELLED","reason":"too late"}'])
    const result = await json(['result', name])
    const listed = await json(['list', '--status', 'done', '--limit', '1'])

    expect(started).toMatchObject({ address: name, workflow: 'order-fulfilment', id: 'o/2 ż', version: 1 })
    expect(shown).toMatchObject({ address: name, status: 'running', context: { totalCents: 2_400 } })
    expect(shown['timers']).toHaveLength(1)
    expect(updated).toMatchObject({ outcome: 'accepted', state: 'compensating.refunding' })
    expect(result).toMatchObject({ status: 'cancelled', reason: 'too late' })
    expect(listed).toMatchObject([{ address: name, status: 'done', state: 'compensated' }])
  })
})

describe('pausing', { timeout: 60_000 }, () => {
  it('stops an instance until it is resumed, and says so', async () => {
    const name = 'order-fulfilment/paused'
    await run(['start', 'order-fulfilment', 'paused', '--input', order('paused')], { folder })
    await untilState('order-fulfilment', 'paused', 'awaitingShipment')

    const paused = await runCli(folder, ['pause', name, '--reason', 'the bank is closed'])
    const shown = await runCli(folder, ['show', name])
    const listed = await runCli(folder, ['list', '--status', 'paused'])
    const sent = await runCli(folder, ['send', name, 'SHIPPED', '--data', '{"trackingNumber":"1Z"}'])
    const json = await runCli(folder, ['pause', name, '--json'])
    const resumed = await runCli(folder, ['resume', name])
    const result = await runCli(folder, ['result', name, '--timeout', '20s'])
    const late = await runCli(folder, ['pause', name])

    expect(paused.stdout).toBe(`paused ${name}\n`)
    expect(shown.stdout).toMatch(
      / {2}paused\n\n {2}State {5}awaitingShipment\n {2}Paused {4}the bank is closed\n/,
    )
    expect(listed.stdout).toMatch(/^order-fulfilment\/paused +paused +awaitingShipment +pause +\d+ s$/m)
    expect(JSON.parse(json.stdout)).toMatchObject({ address: name, status: 'paused' })
    expect(resumed.stdout).toBe(`resumed ${name}\n`)
    expect(JSON.parse(result.stdout)).toMatchObject({ status: 'fulfilled', trackingNumber: '1Z' })
    for (const { code, stderr } of [paused, shown, listed, json, resumed, result]) {
      expect([code, stderr]).toEqual([0, ''])
    }
    expect(sent.stderr).toBe(`${name} is paused; the event waits until it is resumed\n`)
    expect(late.code).toBe(5)
    expect(late.stderr).toContain('has ended (done)')
  })

  it('stops all instances of a workflow, or of all, and says so', async () => {
    const name = 'order-fulfilment/held'
    await run(['start', 'order-fulfilment', 'held', '--input', order('held')], { folder })
    await untilState('order-fulfilment', 'held', 'awaitingShipment')

    const paused = await run(['pause', '--workflow', 'order-fulfilment', '--reason', 'a\u001bb'], { folder })
    const sent = await run(['send', name, 'SHIPPED', '--data', '{"trackingNumber":"1Z"}'], { folder })
    const shown = await run(['show', name], { folder })
    const all = await run(['pause', '--all', '--json'], { folder })
    const resumed = await run(['resume', '--workflow', 'order-fulfilment'], { folder })
    const listed = await run(['list', '--workflow', 'order-fulfilment'], { folder })
    const resumedAll = await run(['resume', '--all'], { folder })
    const result = await run(['result', name, '--timeout', '20s'], { folder })
    const unknown = await run(['pause', '--workflow', 'order-fulfillment'], { folder })
    const both = await run(['pause', name, '--all'], { folder })

    expect(paused.stdout).toBe('paused all of order-fulfilment\n')
    expect(sent.stderr).toMatch(/^all of order-fulfilment is paused, for \d+ s: a\\u001bb\n$/)
    expect(shown.stdout).toMatch(/ {2}running\n\n {2}State {5}awaitingShipment\n/)
    expect(shown.stderr).toBe(sent.stderr.replace(/\d+ s/, /\d+ s/.exec(shown.stderr)![0]))
    expect(JSON.parse(all.stdout)).toMatchObject({ scope: 'namespace', done: 'paused' })
    expect(resumed.stdout).toBe('resumed all of order-fulfilment\n')
    expect(listed.stderr).toMatch(/^the whole namespace is paused, for \d+ s\n$/)
    expect(resumedAll.stdout).toBe('resumed all workflows\n')
    expect(JSON.parse(result.stdout)).toMatchObject({ status: 'fulfilled' })
    expect(unknown.stderr).toContain("there is no workflow 'order-fulfillment'")
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('either <workflow/id>')])
  })
})

describe('watching', { timeout: 60_000 }, () => {
  it('follows one instance to its end', async () => {
    await run(['start', 'order-fulfilment', 'declined', '--input', order('d', 'tok_declined')], { folder })

    const { code, stdout } = await runCli(folder, ['watch', 'order-fulfilment/declined'])

    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^\d\d:\d\d:\d\d {2}✔ order-fulfilment\/declined {2}compensated {2}← xstate\.done\.actor\.\S+\n$/m,
    )
  })

  it('shows which event led to each state, and keeps within the terminal', async () => {
    await run(['start', 'order-fulfilment', 'seen', '--input', order('seen')], { folder })

    const watching = run(['watch', 'order-fulfilment/seen'], { columns: 60, folder })
    const json = run(['watch', 'order-fulfilment/seen', '--json'], { folder })
    await untilState('order-fulfilment', 'seen', 'awaitingShipment')
    await run(['update', 'order-fulfilment/seen', 'SNEEZED'], { folder })
    await run(['update', 'order-fulfilment/seen', 'SHIPPED', '--data', '{"trackingNumber":"1Z"}'], { folder })
    const [{ stdout }, documents] = await Promise.all([watching, json])

    const lines = stdout.trimEnd().split('\n')
    expect(lines.at(-1)).toMatch(/ ✔ order-fulfilment\/seen {2}fulfilled {2}← SHIPPED$/)
    expect(lines.at(-2)).toMatch(/ ● order-fulfilment\/seen {2}\S+ {2}← …\w+$/)
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(60)
    expect(JSON.parse(documents.stdout.trimEnd().split('\n').at(-1)!)).toMatchObject({ event: 'SHIPPED' })
  })

  it('follows all instances of a workflow, until Ctrl-C, which is no error', async () => {
    const child = spawnCli(folder, ['watch', 'pull-request', '--json'])
    const seen = new Promise<string>(resolve => child.stdout!.setEncoding('utf8').once('data', resolve))
    const ended = new Promise<number | null>(resolve => child.once('close', resolve))
    const input = JSON.stringify({ repository: 'a/b', number: 1 })

    await run(['start', 'order-fulfilment', 'other', '--input', order('other')], { folder })
    await run(['start', 'pull-request', 'a/b#1', '--input', input], { folder })

    expect(JSON.parse((await seen).split('\n')[0]!)).toMatchObject({
      address: 'pull-request/a/b#1',
      status: 'running',
    })
    child.kill('SIGINT')
    expect(await ended).toBe(0)
  })

  it('refuses a workflow that does not exist, instead of waiting for ever', async () => {
    const { code, stderr } = await run(['watch', 'order'], { folder })

    expect(stderr).toContain("error WORKFLOW_UNKNOWN: there is no workflow 'order'")
    expect(code).toBe(4)
  })

  it('ends quietly when nobody reads on', async () => {
    await run(['start', 'order-fulfilment', 'piped', '--input', order('piped')], { folder })
    const child = spawnCli(folder, ['watch'])
    const errors: string[] = []
    child.stderr!.setEncoding('utf8').on('data', text => errors.push(text as string))
    const ended = new Promise<number | null>(resolve => child.once('close', resolve))

    child.stdout!.once('data', () => child.stdout!.destroy())
    // Something more to write, so that it notices.
    await new Promise(resolve => child.stdout!.once('close', resolve))
    await run(['start', 'order-fulfilment', 'piped-too', '--input', order('piped-too')], { folder })

    expect(await ended).toBe(0)
    expect(errors.join('')).toBe('')
  })
})

describe('lists', { timeout: 60_000 }, () => {
  it('show what changed last first, and leave out nothing but what was asked for', async () => {
    for (const id of ['l-1', 'l-2', 'l-3']) {
      await run(['start', 'pull-request', id, '--input', '{"repository":"l","number":1}'], { folder })
    }

    const listed = await run(['list', '--workflow', 'pull-request', '--limit', '2', '--json'], { folder })
    const table = await run(['list', '--workflow', 'pull-request', '--limit', '1'], { folder })

    const rows = JSON.parse(listed.stdout) as { id: string }[]
    expect(rows.map(({ id }) => id)).toEqual(['l-3', 'l-2'])
    expect(table.stdout).toMatch(/^INSTANCE.*\npull-request\/l-3 .*\n… and \d+ more; --limit 0 shows all\n$/)
  })

  it.each([100, 64])('fit a terminal of %i columns', async columns => {
    const { stdout } = await run(['list'], { columns, folder })

    for (const line of stdout.trimEnd().split('\n')) expect(line.length).toBeLessThanOrEqual(columns)
  })

  it('say so when there is nothing', async () => {
    const { stdout } = await run(['list', '--status', 'failed'], { folder })

    expect(stdout).toBe('no such instances\n')
  })
})

describe('a mistake', { timeout: 60_000 }, () => {
  beforeAll(async () => {
    await run(['start', 'pull-request', 'm', '--input', '{"repository":"m","number":1}'], { folder })
    await run(['start', 'order-fulfilment', 'm', '--input', order('m')], { folder })
    await run(['start', 'order-fulfilment', 'finished', '--input', order('f', 'tok_declined')], { folder })
    await run(['result', 'order-fulfilment/finished'], { folder })
    await untilState('order-fulfilment', 'm', 'awaitingShipment')
  })

  it.each([
    [['show', 'order-fulfilment/none'], 'INSTANCE_NOT_FOUND', 4],
    [['send', 'order-fulfilment/none', 'SHIPPED'], 'INSTANCE_NOT_FOUND', 4],
    [['update', 'order-fulfilment/none', 'SHIPPED'], 'INSTANCE_NOT_FOUND', 4],
    [['result', 'order-fulfilment/none'], 'INSTANCE_NOT_FOUND', 4],
    [['show', 'no-slash'], 'ID_INVALID', 3],
    [['start', 'unknown'], 'WORKFLOW_UNKNOWN', 4],
    [['list', '--workflow', 'unknown'], 'WORKFLOW_UNKNOWN', 4],
    [['start', 'pull-request', 'm', '--input', '{"repository":"m","number":2}'], 'INSTANCE_EXISTS', 5],
    [['send', 'pull-request/m', 'xstate.done'], 'EVENT_RESERVED', 3],
    [['update', 'order-fulfilment/m', 'SHIPPED', '--data', '{"trackingNumber":7}'], 'EVENT_INVALID', 3],
    [['result', 'pull-request/m', '--timeout', '100ms'], 'TIMEOUT', 7],
    [['send', 'order-fulfilment/finished', 'SHIPPED'], 'INSTANCE_FINISHED', 5],
  ])('%j is answered with %s and exit code %i, and changes nothing', async (args, error, exitCode) => {
    const before = await run(['list', '--json'], { folder })

    const { code, stderr, stdout } = await run(args, { folder })

    expect(stderr).toMatch(new RegExp(`^error ${error}: `))
    expect([code, stdout]).toEqual([exitCode, ''])
    expect((await run(['list', '--json'], { folder })).stdout).toBe(before.stdout)
  })

  it('in the input of a start is answered at once, with every field that is wrong', async () => {
    const args = ['start', 'order-fulfilment', 'bad', '--input', '{"orderId":"bad","items":[]}']

    const { code, stderr, stdout } = await run(args, { folder })
    const json = await run([...args, '--json'], { folder })

    expect(stderr).toMatch(
      /^error INPUT_INVALID: the input does not match its schema\n {2}input\.items: must be .+\n {2}input\.card\.token: /,
    )
    expect([code, stdout]).toEqual([3, ''])
    expect(JSON.parse(json.stderr)).toMatchObject({
      error: {
        code: 'INPUT_INVALID',
        exitCode: 3,
        fields: { issues: [{ path: 'input.items' }, {}, {}, {}, {}, {}, {}, {}] },
      },
    })
    expect((await run(['show', 'order-fulfilment/bad'], { folder })).code).toBe(4)
  })

  it('in the name of a workflow is answered with the one that was probably meant', async () => {
    for (const args of [
      ['start', 'order-fulfilmet'],
      ['watch', 'order-fulfilmet'],
      ['list', '--workflow', 'order-fulfilmet'],
    ]) {
      expect((await run(args, { folder })).stderr).toContain('\n  did you mean order-fulfilment?\n')
    }
  })

  it('of taking an id for a workflow is explained', async () => {
    expect((await run(['watch', 'o-1'], { folder })).stderr).toContain(
      '\n  an instance is written workflow/id\n',
    )
  })

  it('of a workflow suspends its instance; once that is failed, result fails with the error', async () => {
    const input = '{"repository":"x","number":1}'
    await run(['start', 'pull-request', 'broken', '--input', input], { folder })
    // No schema holds back what the sample has never heard of.
    const updated = await run(['update', 'pull-request/broken', 'pull_request.teleported'], { folder })

    const listed = await run(['incidents'], { folder })
    await run(['incidents', 'fail', 'pull-request/broken'], { folder })
    const { code, stderr } = await run(['result', 'pull-request/broken'], { folder })

    expect(updated.stdout).toMatch(/^suspended pull-request\/broken/)
    expect(listed.stdout).toContain('pull-request/broken')
    expect(stderr).toMatch(/^error WORKFLOW_FAILED: pull-request\/broken failed: /)
    expect(code).toBe(6)
  })
})

describe('which NATS is used', { timeout: 60_000 }, () => {
  it('is the one of the folder, from any folder below', async () => {
    const below = join(folder, 'a', 'b')
    await mkdir(below, { recursive: true })

    expect((await run(['list'], { folder: below })).code).toBe(0)
  })

  it('is the one given, by option or environment, from anywhere', async () => {
    expect((await run(['list', '--server', server])).code).toBe(0)
    expect((await run(['list'], { server })).code).toBe(0)
    expect((await run(['list', '--server', server, '--namespace', 'other'])).code).toBe(4)
  })
})
