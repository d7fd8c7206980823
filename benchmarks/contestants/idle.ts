/** W5 is a script of its own, with a nats-server of its own: it is run, and what it prints is passed on. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

import type { Run } from '../contest/contestant.ts'

const script = join(import.meta.dirname, '..', 'idle.js')

interface Printed {
  readonly figures: Readonly<Record<string, number>> & { readonly startsPerSecond: number }
}

/** An operation is an instance that is started and then lies idle. What is taken is taken by the script, as a client. */
export const idle: Run = async ({ count, seed }, metering) => {
  const args = [script, '--json', '--instances', String(count), '--seed', String(seed)]
  // Memory is what it is about: none for speed.
  const { NODE_OPTIONS: _, ...env } = process.env
  const { stdout } = await metering(() => promisify(execFile)(process.execPath, args, { env }))
  const { figures } = JSON.parse(stdout) as Printed
  return { checked: count, figures, latencies: [], seconds: count / figures.startsPerSecond }
}
