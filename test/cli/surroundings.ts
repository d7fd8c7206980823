import { runProgram, type Surroundings } from '../../src/cli/program.ts'
import { createStyle } from '../../src/cli/style.ts'
import type { Output } from '../../src/cli/terminal.ts'

export interface RunOptions {
  readonly folder?: string
  readonly input?: string
  readonly server?: string
  readonly signal?: AbortSignal
  /** Columns of the terminal; without, there is none. */
  readonly columns?: number
}

export interface RunResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command line within this process. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const out = recorder(options.columns)
  const err = recorder(options.columns)
  const surroundings: Surroundings = {
    config: {
      colors: undefined,
      creds: undefined,
      namespace: undefined,
      natsServer: undefined,
      program: 'holdfast',
      server: options.server,
    },
    // One without a `holdfast dev` in it or above.
    folder: options.folder ?? '/',
    readInput: () => Promise.resolve(options.input ?? ''),
    signal: options.signal ?? new AbortController().signal,
    terminal: { out, err },
  }
  const code = await runProgram(args, surroundings)
  return { code, stdout: out.text(), stderr: err.text() }
}

/** An output that keeps what is written to it. */
export function recorder(columns?: number, rows = 30): Output & { text(): string } {
  const written: string[] = []
  return {
    columns,
    isTerminal: columns !== undefined,
    rows: columns === undefined ? undefined : rows,
    style: createStyle(false),
    text: () => written.join(''),
    write: text => void written.push(text),
  }
}
