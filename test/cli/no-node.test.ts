import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'

import { connect, createNode } from '../../src/index.ts'
import { serverWithUsers, urlOf } from '../nats/accounts.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { startNode } from '../support/node.ts'
import { tally } from '../support/workflows.ts'
import { run, type RunResult } from './surroundings.ts'

describe('while everything is paused', () => {
  it('a start is stored, which is success and takes no time, and says what it waits for', async () => {
    const namespace = freshNamespace()
    const node = await startNode({ namespace, workflows: [tally] })
    await node.client.pauseAll({ reason: 'maintenance' })

    const args = ['start', 'tally', 'one', '--timeout', '1h', '--namespace', namespace]
    const started = await run(args, { server: sharedServerUrl() })
    await node.client.resumeAll()
    const begun = await node.client.instance(tally, 'one').waitFor(() => true, { timeout: '10s' })

    expect(started.code).toBe(0)
    expect(started.stdout).toMatch(/^stored tally\/one: it starts when its workflow is resumed\n/)
    expect(started.stderr).toMatch(/^the whole namespace is paused, for .*: maintenance\n$/)
    expect(begun.status).toBe('running')
  })
})

describe('while no node runs', () => {
  let namespace: string

  beforeAll(async () => {
    namespace = freshNamespace()
    const options = { servers: sharedServerUrl(), namespace, partitions: 4, workflows: [tally] }
    await using node = await createNode({ ...options, log: 'silent' })
    await node.client.start(tally, { id: 'one', input: undefined, until: 'accepted' })
  })

  function holdfast(...args: readonly string[]): Promise<RunResult> {
    return run([...args, '--namespace', namespace], { server: sharedServerUrl() })
  }

  it('a start is stored, which is success and takes no time, and begins when one runs', async () => {
    const forPeople = await holdfast('start', 'tally', 'two', '--timeout', '1h')
    const forPrograms = await holdfast('start', 'tally', 'three', '--timeout', '1h', '--json')
    const node = await startNode({ namespace, workflows: [tally] })
    const begun = await node.client.instance(tally, 'two').waitFor(() => true, { timeout: '10s' })
    await node.stop()

    expect(forPeople).toEqual({
      code: 0,
      stdout:
        'stored tally/two: no node runs it now, and it starts when one does\n' +
        '  follow it: holdfast watch tally/two\n',
      stderr: '',
    })
    expect(JSON.parse(forPrograms.stdout)).toEqual({
      address: 'tally/three',
      workflow: 'tally',
      id: 'three',
      status: 'stored',
    })
    expect(begun.status).toBe('running')
  })

  it('the start of an instance that has begun before shows it', async () => {
    expect((await holdfast('start', 'tally', 'one')).stdout).toMatch(/^started tally\/one {2}open\n/)
  })

  it('an event is stored, and a person is told that nobody applies it yet', async () => {
    const sent = await holdfast('send', 'tally/one', 'GREET')
    const updated = await holdfast('update', 'tally/one', 'GREET', '--timeout', '50ms')
    const json = await holdfast('send', 'tally/one', 'GREET', '--json')

    expect(sent).toEqual({
      code: 0,
      stdout: 'sent GREET to tally/one\n',
      stderr: 'no node runs tally/one now; the event waits for one\n',
    })
    expect(updated).toMatchObject({ code: 7, stdout: '' })
    expect(updated.stderr).toMatch(
      /^no node runs tally\/one now; waiting for one\nerror TIMEOUT: no answer came for tally\/one within 50 ms/,
    )
    expect([json.code, json.stderr]).toEqual([0, ''])
  })

  it('a person who waits for something is told why nothing comes', async () => {
    const result = await holdfast('result', 'tally/one', '--timeout', '50ms')
    const watched = await run(['watch', 'tally/one', '--namespace', namespace], {
      server: sharedServerUrl(),
      signal: AbortSignal.timeout(500),
    })
    const missing = await holdfast('show', 'tally/none')

    expect(result.stderr).toMatch(
      /^no node runs tally\/one now; waiting for one\nerror TIMEOUT: tally\/one has not ended after 50 ms\n$/,
    )
    expect(watched.stderr).toBe('no node runs tally/one now; nothing changes until one does\n')
    expect(missing.stderr).toContain('there is no instance tally/none yet: no node runs it now')
  })
})

describe('a user who may only send, get answers and read instances', () => {
  it('starts one and waits for the answer, though leases and the list of workflows are not for his eyes', async () => {
    const server = await serverWithUsers({
      publish: {
        allow: [
          'hf.default.in.>',
          '$JS.API.DIRECT.GET.KV_hf_default_config.>',
          '$JS.API.DIRECT.GET.KV_hf_default_instances.>',
        ],
      },
      subscribe: { allow: ['_INBOX.>'] },
    })
    await startNode({ servers: urlOf(server, 'admin'), namespace: 'default', workflows: [tally] })
    const client = await connect({ servers: urlOf(server, 'limited') })
    onTestFinished(() => client.close())

    const { code, stdout } = await run(['start', 'tally', 'one'], { server: urlOf(server, 'limited') })
    const unknown = await run(['start', 'tale'], { server: urlOf(server, 'limited') })

    expect([code, stdout.split('\n')[0]]).toEqual([0, 'started tally/one  open'])
    expect(unknown).toEqual({
      code: 4,
      stdout: '',
      stderr: "error WORKFLOW_UNKNOWN: there is no workflow 'tale'\n",
    })
    await expect(client.instance(tally, 'one').isServed()).rejects.toMatchObject({
      code: 'PERMISSION_DENIED',
    })
  })
})
