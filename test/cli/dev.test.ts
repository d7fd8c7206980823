import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it, onTestFinished } from 'vitest'

import { systemClock } from '../../src/clock.ts'
import { pullRequest } from '../../actors/workflows/pull-request.ts'
import { loadFeed } from '../../actors/workflows/pull-request-feed.ts'
import { connect } from '../../src/client/connect.ts'
import { connectNats } from '../../src/nats/connection.ts'
import { Headers } from '../../src/nats/headers.ts'
import { ownServer } from '../support/nats.ts'
import { isRunning, scratchDir } from '../support/processes.ts'
import { DevProcess, spawnCli } from './cli-process.ts'
import { run } from './surroundings.ts'

const total = loadFeed().length

function startDev(folder: string, ...args: string[]): DevProcess {
  const dev = new DevProcess(folder, args)
  onTestFinished(() => void dev.child.kill('SIGKILL'))
  return dev
}

const anOrder = {
  orderId: 'o-1',
  items: [{ sku: 'TEAPOT', quantity: 2, unitPriceCents: 1_200 }],
  card: { token: 'tok_visa', last4: '4242' },
  address: { name: 'A', street: 'B', city: 'C', postalCode: 'D', country: 'PL' },
}

async function instancesIn(
  folder: string,
): Promise<readonly { readonly address: string; readonly revision: number }[]> {
  const { stdout } = await run(['list', '--json'], { folder })
  return JSON.parse(stdout) as { address: string; revision: number }[]
}

describe('holdfast dev', { timeout: 60_000 }, () => {
  it('says what runs where, and ends cleanly on Ctrl-C with nothing left running', async () => {
    const folder = await scratchDir()
    const dev = startDev(folder)

    const started = await dev.line('started')
    const natsPid = Number(await readFile(join(folder, '.holdfast/nats/nats-server.pid'), 'utf8'))
    const code = await dev.end('SIGINT')

    expect(started).toMatchObject({
      namespace: 'default',
      node: 'dev',
      pid: dev.child.pid,
      found: 0,
      workflows: [{ name: 'order-fulfilment' }, { name: 'pull-request' }],
    })
    expect([code, await dev.errors]).toEqual([0, ''])
    expect(dev.lines.slice(-2).map(({ type }) => type)).toEqual(['stopping', 'stopped'])
    expect(isRunning(natsPid)).toBe(false)
    expect(await readdir(join(folder, '.holdfast'))).not.toContain('dev.json')
  })

  it('comes back on its port after kill -9, so that what waits on it goes on, or on another if that is taken', async () => {
    const folder = await scratchDir()
    const first = startDev(folder)
    const url = await first.url()
    await run(['start', 'order-fulfilment', 'o-1', '--input', JSON.stringify(anOrder)], { folder })
    const watching = spawnCli(folder, ['watch', 'order-fulfilment/o-1', '--json'])
    onTestFinished(() => void watching.kill('SIGKILL'))
    const seen = createInterface({ input: watching.stdout! })[Symbol.asyncIterator]()
    await seen.next()
    await first.end('SIGKILL')
    const second = startDev(folder)
    const again = await second.url()
    await run(['cancel', 'order-fulfilment/o-1', '--force'], { folder })
    let last = ''
    while (!last.includes('cancelled')) last = (await seen.next()).value as string
    await second.end('SIGINT')

    const { port } = new URL(url)
    const other = createServer().listen(Number(port), '127.0.0.1')
    onTestFinished(() => void other.close())
    await once(other, 'listening')
    const third = startDev(folder)

    expect(again).toBe(url)
    expect(await third.url()).not.toBe(url)
  })

  it('feeds every webhook, and finds every instance again the next time', async () => {
    const folder = await scratchDir()
    const first = startDev(folder, '--feed')
    await first.line('applied', ({ count }) => count === total)
    await first.line('changed', ({ id, state }) => id === 'order-1001' && state === 'awaitingShipment')
    await first.line('changed', ({ id, status }) => id === 'order-1002' && status === 'done')
    await first.line('changed', ({ id, status }) => id === 'order-1003' && status === 'done')
    const before = await instancesIn(folder)
    const stopped = await first.end('SIGTERM')

    const second = startDev(folder, '--feed')
    const started = await second.line('started')
    await second.line('applied', ({ count }) => count === total)
    const after = await instancesIn(folder)
    await second.end('SIGINT')

    expect(stopped).toBe(0)
    expect(before).toHaveLength(18)
    expect(started).toMatchObject({ feed: { before: total, total }, found: 18 })
    // The same revisions: nothing was applied a second time.
    expect(after).toEqual(before)
  })

  it('goes on at once after kill -9, on the same data', async () => {
    const folder = await scratchDir()
    const first = startDev(folder)
    await first.url()
    await run(['start', 'pull-request', 'kept', '--input', '{"repository":"a/b","number":1}'], { folder })
    await first.end('SIGKILL')

    const second = startDev(folder)
    const started = await second.line('started')

    expect(started['found']).toBe(1)
    expect((await instancesIn(folder)).map(({ address }) => address)).toEqual(['pull-request/kept'])
  })

  it('refuses to run twice on the same data, naming the process that does', async () => {
    const folder = await scratchDir()
    const first = startDev(folder)
    const url = await first.url()

    const second = startDev(folder)
    const code = await second.exited
    const { error } = JSON.parse(await second.errors) as { error: unknown }

    expect(code).toBe(5)
    expect(error).toMatchObject({ code: 'NODE_NAME_TAKEN', fields: { pid: first.child.pid, url } })
    expect((await run(['list'], { folder })).code).toBe(0)
  })

  it('takes a folder over whose owner has gone, even when its pid is another process now', async () => {
    const folder = await scratchDir()
    const first = startDev(folder)
    await first.url()
    await first.end('SIGKILL')
    const file = join(folder, '.holdfast/dev.json')
    const left = JSON.parse(await readFile(file, 'utf8')) as object
    await writeFile(file, JSON.stringify({ ...left, pid: process.pid, url: 'nats://127.0.0.1:1' }))

    const second = startDev(folder)

    expect((await second.line('started'))['pid']).toBe(second.child.pid)
  })

  it('takes the Ctrl-C that npm passes on for the same key press', async () => {
    const folder = await scratchDir()
    const dev = startDev(folder)
    await dev.url()
    dev.child.kill('SIGINT')
    await dev.line('stopping')
    dev.child.kill('SIGINT')

    expect(await dev.exited).toBe(0)
    expect(dev.lines.at(-1)?.type).toBe('stopped')
  })

  it('ends at once on the second Ctrl-C', async () => {
    const folder = await scratchDir()
    const dev = startDev(folder)
    await dev.url()
    // NATS that does not answer makes the clean end take its time.
    const natsPid = Number(await readFile(join(folder, '.holdfast/nats/nats-server.pid'), 'utf8'))
    process.kill(natsPid, 'SIGSTOP')
    dev.child.kill('SIGINT')
    await dev.line('stopping')
    const hurry = setInterval(() => dev.child.kill('SIGINT'), 200)
    onTestFinished(() => clearInterval(hurry))

    expect(await dev.exited).toBe(130)
    expect(dev.lines.map(({ type }) => type)).not.toContain('stopped')
  })

  it('keeps its data where it is told, on the port it is told', async () => {
    const folder = await scratchDir()
    const port = await freePort()
    const dev = startDev(folder, '--data', 'kept/here', '--port', String(port), '--namespace', 'mine')

    const started = await dev.line('started')

    expect(started).toMatchObject({ namespace: 'mine', server: { url: `nats://127.0.0.1:${port}` } })
    expect(await readdir(join(folder, 'kept/here'))).toContain('dev.json')
    const listed = await run(['list', '--namespace', 'mine', '--server', `nats://127.0.0.1:${port}`])
    expect(listed.stdout).toBe('no instances yet\n')
  })

  it('uses a NATS that runs already, and leaves it running', async () => {
    const folder = await scratchDir()
    const server = await ownServer()
    const dev = startDev(folder, '--server', server.url)

    expect(await dev.url()).toBe(server.url)
    expect((await run(['list'], { folder })).code).toBe(0)
    expect(await dev.end('SIGINT')).toBe(0)
    expect(isRunning(server.pid)).toBe(true)
  })

  it('ends with an error when its NATS does', async () => {
    const folder = await scratchDir()
    const dev = startDev(folder)
    await dev.url()

    process.kill(Number(await readFile(join(folder, '.holdfast/nats/nats-server.pid'), 'utf8')), 'SIGKILL')

    expect(await dev.exited).toBe(8)
    expect(JSON.parse(await dev.errors)).toMatchObject({
      error: {
        code: 'STORE_UNAVAILABLE',
        message: expect.stringContaining('nats-server ended by itself (SIGKILL)'),
      },
    })
  })

  it('runs workflows of yours besides the samples', async () => {
    const folder = await scratchDir()
    const machine = `setup({}).createMachine({ id: 'hello', initial: 'greeting', states: { greeting: {} } })`
    await writeFile(
      join(folder, 'mine.mjs'),
      `import { setup } from '${import.meta.resolve('xstate')}'
       import { defineWorkflow } from '${join(import.meta.dirname, '../../src/index.ts')}'
       export const hello = defineWorkflow(${machine})`,
    )
    const dev = startDev(folder, '--workflows', 'mine.mjs')
    await dev.url()

    const { stdout } = await run(['start', 'hello', 'h', '--json'], { folder })

    expect(JSON.parse(stdout)).toMatchObject({ address: 'hello/h', state: 'greeting' })
  })

  it('refuses a module without workflows', async () => {
    const folder = await scratchDir()
    await writeFile(join(folder, 'none.mjs'), 'export const nothing = 1')

    const { code, stderr } = await run(['dev', '--workflows', 'none.mjs'], { folder })

    expect(stderr).toContain('--workflows none.mjs exports no workflow')
    expect(code).toBe(2)
  })
})

describe('the webhook subject', { timeout: 60_000 }, () => {
  it('takes what others publish there, and keeps what is no webhook with the reason', async () => {
    const folder = await scratchDir()
    const dev = startDev(folder, '--feed')
    await dev.line('applied', ({ count }) => count === total)
    const nats = await connectNats({ clock: systemClock, servers: await dev.url() })
    onTestFinished(() => nats.close())
    const delivery = loadFeed().find(({ id }) => id === 'octo-org/octo-repo#118:0')!
    const payload = delivery.payload as { readonly pull_request: object }
    const untitled = { ...payload, pull_request: { ...payload.pull_request, title: '' } }
    const publish = (event: string, id: string, text: string) =>
      nats.publish(`github.webhook.${event}`, new TextEncoder().encode(text), {
        headers: Headers.of({ 'X-GitHub-Event': event, 'X-GitHub-Delivery': id }),
      })

    await publish('pull_request', 'mine-1', 'no JSON')
    await publish('pull_request', 'mine-2', '{"action":"opened"}')
    await publish('push', 'mine-3', '{}')
    await publish('pull_request_review_thread', 'mine-4', JSON.stringify(untitled))
    await publish('pull_request_review_thread', 'mine-5', JSON.stringify(payload))
    const refused = await dev.line('refused', ({ count }) => count === 3)
    const client = await connect({ servers: await dev.url() })
    onTestFinished(() => client.close())
    const handle = client.instance(pullRequest, 'octo-org/octo-repo#118')
    const twice = await handle.waitFor(({ context }) => context.counts.webhooks === 2, { timeout: '20s' })
    const letters = await Promise.all(
      [1, 2, 3].map(seq => nats.jsm.streams.getMessage('hf_default_dead', { seq })),
    )

    expect(refused).toMatchObject({ code: 'EVENT_INVALID', position: total + 4, kept: 'hf_default_dead' })
    expect(letters.map(({ header }) => [header.get('Hf-Seq'), header.get('Hf-Reason')])).toEqual([
      [String(total + 1), 'the payload of a webhook must be JSON'],
      [String(total + 2), 'webhook payload: repository.full_name must be text; got undefined'],
      [String(total + 4), 'the event does not match its schema: event.pullRequest.title: must be text'],
    ])
    expect(letters[0]!.string()).toBe('no JSON')
    expect(letters[0]!.header.get('Hf-Stream')).toBe('github_webhooks')
    expect((await nats.jsm.streams.info('hf_default_dead')).state.messages).toBe(3)
    expect(twice.context.timeline).toHaveLength(2)
  })
})

describe('without a terminal', { timeout: 60_000 }, () => {
  it('writes plain lines: what runs, progress, the instances, what to type next', async () => {
    const folder = await scratchDir()
    const child = spawnCli(folder, ['dev', '--feed'])
    onTestFinished(() => void child.kill('SIGKILL'))
    let written = ''
    for await (const chunk of child.stdout!.setEncoding('utf8')) {
      written += chunk as string
      if (written.includes('Ctrl-C stops it')) break
    }

    expect(written).toMatch(/^holdfast dev\n\n {2}nats-server \S+ {2}nats:\/\/127\.0\.0\.1:\d+\n/)
    expect(written).toContain(`\nFeeding ${total} GitHub webhooks through NATS, on github.webhook.*\n`)
    expect(written).toContain(`\n${total} of ${total} webhooks applied\n\n18 instances\nINSTANCE `)
    expect(written).toContain("holdfast show 'pull-request/Codertocat/Hello-World#2'\n")
    expect(written).toContain('holdfast send order-fulfilment/order-1001 SHIPPED --data ')
    expect(written).not.toContain('\u001B')
  })
})

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return port
}
