import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'

/** True while the process runs; a zombie, dead and only not yet collected, does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  if (process.platform !== 'linux') return true
  try {
    // proc(5): the state is the first field after the name in parentheses.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.[0] !== 'Z'
  } catch {
    return false
  }
}

/**
 * Runs a TypeScript file as a process of its own, in a process group of its own, and killed with everything in it
 * when the test ends.
 */
export function forkScript(file: string, ...args: string[]): ChildProcess {
  const child = fork(file, args, { detached: true, execArgv: ['--import', 'tsx'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

/** The next message of a forked process; rejects when it ends instead. */
export async function nextMessage<T>(child: ChildProcess): Promise<T> {
  const done = new AbortController()
  try {
    const message = once(child, 'message', { signal: done.signal }) as Promise<[T]>
    const early = once(child, 'exit', { signal: done.signal }).then(([code, signal]) => {
      throw new Error(`the process ended with ${String(code ?? signal)} instead of a message`)
    })
    message.catch(() => undefined)
    early.catch(() => undefined)
    const [first] = await Promise.race([message, early as Promise<never>])
    return first
  } finally {
    done.abort()
  }
}

/** A folder for this test alone, removed when it ends. */
export async function scratchDir(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'holdfast-test-'))
  onTestFinished(() => rm(path, { force: true, maxRetries: 5, recursive: true }))
  return path
}

/** Writes an executable shell script. */
export async function writeScript(path: string, body: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `#!/bin/sh\n${body}\n`)
  await chmod(path, 0o755)
  return path
}
