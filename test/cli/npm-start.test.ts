import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'

import { isRunning, scratchDir } from '../support/processes.ts'
import { environment, sourceCommand } from './cli-process.ts'

/** A folder whose `npm start` is ours, but runs the sources, because a build would get in the way of other tests. */
async function project(): Promise<string> {
  const folder = await scratchDir()
  const own = JSON.parse(await readFile(resolve(import.meta.dirname, '../../package.json'), 'utf8')) as {
    scripts: { start: string }
  }
  const built = 'node dist/src/cli/main.js'
  expect(own.scripts.start).toContain(built)
  const start = own.scripts.start.replace(built, sourceCommand.join(' '))
  await writeFile(join(folder, 'package.json'), JSON.stringify({ scripts: { build: 'true', start } }))
  return folder
}

/** Runs `npm start` until all is fed, then does what a terminal does on Ctrl-C: interrupts all of its processes. */
async function startAndInterrupt(folder: string): Promise<{ code: number | null; text: string }> {
  const npm = spawn('npm', ['start'], {
    cwd: folder,
    detached: true,
    env: environment(),
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  onTestFinished(() => {
    if (isRunning(npm.pid!)) process.kill(-npm.pid!, 'SIGKILL')
  })
  const ended = once(npm, 'close') as Promise<[number | null]>
  let text = ''
  npm.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    if (!text.includes('Ctrl-C stops it') && `${text}${chunk}`.includes('Ctrl-C stops it')) {
      process.kill(-npm.pid!, 'SIGINT')
    }
    text += chunk
  })
  const [code] = await ended
  return { code, text }
}

it('npm start ends cleanly on Ctrl-C, and finds every instance again', { timeout: 60_000 }, async () => {
  const folder = await project()

  const first = await startAndInterrupt(folder)
  const second = await startAndInterrupt(folder)

  for (const { code, text } of [first, second]) {
    expect(text).toMatch(/\n\nStopping\nStopped\. The same command goes on from here\.\n$/)
    expect(code).toBe(0)
  }
  expect(first.text).toContain('\n18 instances\n')
  expect(second.text).toContain(', 18 instances found again\n')
})
