import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import { onTestFinished } from 'vitest'

import { sharedServerUrl } from '../support/nats.ts'

/** A node in a process of its own, which ends with the test. Resolved once it serves. */
export async function startTallyNode(namespace: string): Promise<ChildProcess> {
  const script = join(import.meta.dirname, 'node-process.ts')
  const child = spawn(process.execPath, ['--import', 'tsx', script, sharedServerUrl(), namespace], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout!, 'data')
  return child
}

/** Kills it as a crash does, and resolves when it is gone. */
export async function crash(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}
