/**
 * A process that keeps another one under guard and has had its guardian killed. Tells its parent the pids once the
 * next guardian stands.
 */
import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'

import { launch } from '../../src/nats/server/guardian.ts'

/** What it tells. */
export interface GuardedMessage {
  readonly guardianPid: number
  readonly killedGuardianPid: number
  readonly pid: number
}

const logFd = openSync(devNull, 'a')
const guarded = await launch({ args: ['60'], command: '/bin/sleep', cwd: '/', logFd })
closeSync(logFd)
guarded.open()

const first = guarded.guardianPid() ?? 0
process.kill(first, 'SIGKILL')
const watch = setInterval(() => {
  const next = guarded.guardianPid()
  if (next === undefined || next === first) return
  clearInterval(watch)
  const message: GuardedMessage = { guardianPid: next, killedGuardianPid: first, pid: guarded.pid }
  process.send?.(message)
}, 5)
