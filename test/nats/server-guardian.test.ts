import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { connect } from 'nats'
import { describe, expect, it, onTestFinished, vi } from 'vitest'

import type { StartServerOptions } from '../../src/nats/server.ts'
import { launch } from '../../src/nats/server/guardian.ts'
import { ownServer, serverBinary } from '../support/nats.ts'
import { forkScript, isRunning, nextMessage, scratchDir } from '../support/processes.ts'
import type { GuardedMessage } from './server-guarded.ts'
import type { OwnerMessage } from './server-owner.ts'

const ownerScript = fileURLToPath(new URL('server-owner.ts', import.meta.url))
const guardedScript = fileURLToPath(new URL('server-guarded.ts', import.meta.url))

type Started = Extract<OwnerMessage, { type: 'started' }>

/** A process of its own that owns a server. */
async function owner(options: StartServerOptions = {}): Promise<Started & { readonly child: ChildProcess }> {
  const child = forkScript(ownerScript, JSON.stringify({ path: serverBinary(), ...options }))
  const started = await nextMessage<Started>(child)
  // Should a test fail, nothing stays behind.
  onTestFinished(() => {
    if (isRunning(started.pid)) process.kill(started.pid, 'SIGKILL')
  })
  return { ...started, child }
}

/** The answer within two seconds: did it go? */
async function goes(pid: number): Promise<boolean> {
  return await vi.waitUntil(() => !isRunning(pid), { interval: 10, timeout: 2000 }).catch(() => false)
}

describe('a server whose owner', () => {
  it('is killed with kill -9 is gone within two seconds, and its temporary store too', async () => {
    const { child, pid, storeDir } = await owner()

    child.kill('SIGKILL')

    expect(await goes(pid)).toBe(true)
    await vi.waitFor(() => expect(existsSync(storeDir)).toBe(false), { interval: 10, timeout: 2000 })
  })

  it('is killed while the server itself is paused is gone within two seconds', async () => {
    const { child, pid } = await owner()
    process.kill(pid, 'SIGSTOP')

    child.kill('SIGKILL')

    expect(await goes(pid)).toBe(true)
  })

  it('is killed leaves a store that is whole, and free only when that server has left it', async () => {
    const storeDir = await scratchDir()
    const { child, pid, url } = await owner({ storeDir })
    const nc = await connect({ maxReconnectAttempts: 0, servers: url })
    await (await nc.jetstreamManager()).streams.add({ name: 'kept', subjects: ['kept'] })
    await nc.jetstream().publish('kept', 'one')
    // It cannot end cleanly, so it will linger until its guardian loses patience.
    process.kill(pid, 'SIGSTOP')
    child.kill('SIGKILL')
    await once(child, 'exit')

    const next = await ownServer({ storeDir })

    expect(isRunning(pid)).toBe(false)
    const again = await connect({ maxReconnectAttempts: 0, servers: next.url })
    onTestFinished(() => again.close())
    const message = await (await again.jetstreamManager()).streams.getMessage('kept', { seq: 1 })
    expect(message.string()).toBe('one')
  })

  it('is stopped for a second goes on serving', async () => {
    const { child, pid, url } = await owner()

    child.kill('SIGSTOP')
    await setTimeout(1000)
    const nc = await connect({ maxReconnectAttempts: 0, servers: url })
    onTestFinished(() => nc.close())
    await nc.flush()
    child.kill('SIGCONT')

    child.send('stop')
    expect(await nextMessage(child)).toEqual({ type: 'stopped', signal: null })
    expect(isRunning(pid)).toBe(false)
  })

  it('is interrupted from its terminal ends only when its owner stops it', async () => {
    const storeDir = await scratchDir()
    // Older servers name the signal in debug lines only.
    const { child } = await owner({ extraConfig: 'debug: true', storeDir })

    // What a terminal does on Ctrl-C: the signal goes to the whole process group.
    process.kill(-child.pid!, 'SIGINT')
    expect(await nextMessage(child)).toEqual({ type: 'interrupted' })
    child.send('stop')
    expect(await nextMessage(child)).toEqual({ type: 'stopped', signal: null })

    const log = await readFile(`${storeDir}/nats-server.log`, 'utf8')
    expect(log.match(/Trapped "(.*)" signal/g)).toEqual(['Trapped "terminated" signal'])
  })
})

describe('launch', () => {
  it('replaces a guardian that was killed', async () => {
    const child = forkScript(guardedScript)
    const { guardianPid, killedGuardianPid, pid } = await nextMessage<GuardedMessage>(child)
    expect([killedGuardianPid, guardianPid, pid].map(isRunning)).toEqual([false, true, true])

    child.kill('SIGKILL')

    expect(await goes(pid)).toBe(true)
    expect(await goes(guardianPid)).toBe(true)
  })

  it('runs nothing before it is let go', async () => {
    const dir = await scratchDir()
    const guarded = await launch({ args: [`${dir}/ran`], command: 'touch', cwd: dir, logFd: 2 })
    guarded.kill('SIGTERM')

    const exit = await guarded.exited

    expect(exit).toEqual({ code: null, signal: 'SIGTERM' })
    expect(existsSync(`${dir}/ran`)).toBe(false)
  })

  it('ends the guardian together with the process', async () => {
    const guarded = await launch({ args: ['-c', 'exit 7'], command: '/bin/sh', cwd: '/', logFd: 2 })
    const guardianPid = guarded.guardianPid() ?? 0
    expect(isRunning(guardianPid)).toBe(true)
    guarded.open()

    const exit = await guarded.exited

    expect(exit).toEqual({ code: 7, signal: null })
    expect(isRunning(guardianPid)).toBe(false)
  })
})
