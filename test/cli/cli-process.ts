import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'

import { serverBinary } from '../support/nats.ts'

const main = resolve(import.meta.dirname, '../../src/cli/main.ts')
// By its path: the commands run in folders from which it could not be found.
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href

/** What runs the sources, before the arguments. */
export const sourceCommand: readonly string[] = [process.execPath, '--import', tsx, main]

/** How a command ended and what it wrote. */
export interface CliResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command to its end. */
export async function runCli(folder: string, args: readonly string[], input = ''): Promise<CliResult> {
  const child = spawnCli(folder, args)
  child.stdin!.end(input)
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'close') as Promise<[number | null]>,
  ])
  return { code, stdout, stderr }
}

/** Starts a command; whoever does ends it. */
export function spawnCli(folder: string, args: readonly string[]): ChildProcess {
  const [program, ...ownArgs] = sourceCommand as [string, ...string[]]
  return spawn(program, [...ownArgs, ...args], {
    cwd: folder,
    env: environment(),
  })
}

/** The environment of a command: whoever runs the tests may have settings of his own. */
export function environment(): NodeJS.ProcessEnv {
  const settings = /^(HOLDFAST_|FORCE_COLOR$|NO_COLOR$|npm_)/
  const rest = Object.entries(process.env).filter(([name]) => !settings.test(name))
  return { ...Object.fromEntries(rest), HOLDFAST_NATS_SERVER: serverBinary() }
}

/** What `holdfast dev --json` writes, a document a line. */
export interface DevLine {
  readonly type: string
  readonly [field: string]: unknown
}

/** A running `holdfast dev --json`. */
export class DevProcess {
  readonly child: ChildProcess
  readonly lines: DevLine[] = []
  /** Everything it wrote to standard error. */
  readonly errors: Promise<string>
  /** How it ended: its exit code, or the signal that ended it. */
  readonly exited: Promise<number | string | null>
  readonly #waiting = new Set<() => void>()
  #isOver = false

  constructor(folder: string, args: readonly string[] = []) {
    this.child = spawnCli(folder, ['dev', '--json', ...args])
    this.errors = text(this.child.stderr!)
    createInterface({ input: this.child.stdout! }).on('line', line => {
      this.lines.push(JSON.parse(line) as DevLine)
      for (const wake of this.#waiting) wake()
    })
    this.exited = once(this.child, 'close').then(([code, signal]: (number | string | null)[]) => {
      this.#isOver = true
      for (const wake of this.#waiting) wake()
      return code ?? signal ?? null
    })
  }

  /** The first line of that type, already written or still to come. */
  async line(type: string, matches: (line: DevLine) => boolean = () => true): Promise<DevLine> {
    for (;;) {
      const found = this.lines.find(line => line.type === type && matches(line))
      if (found !== undefined) return found
      if (this.#isOver) throw new Error(`it ended without a '${type}': ${await this.errors}`)
      await this.#nextLine()
    }
  }

  /** Where its NATS is, once everything runs. */
  async url(): Promise<string> {
    return ((await this.line('started'))['server'] as { url: string }).url
  }

  /** Sends a signal and waits for the end. */
  end(signal: NodeJS.Signals): Promise<number | string | null> {
    this.child.kill(signal)
    return this.exited
  }

  #nextLine(): Promise<void> {
    return new Promise(done => {
      const wake = () => {
        this.#waiting.delete(wake)
        done()
      }
      this.#waiting.add(wake)
    })
  }
}
