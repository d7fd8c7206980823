/** What the measuring scripts have in common: a nats-server of their own, Ctrl-C, and how they answer. */
import { setMaxListeners } from 'node:events'
import { cpus } from 'node:os'

import { startServer } from '../src/index.ts'

/** What a script runs in. */
export interface Surroundings {
  /** Of a nats-server that syncs every write. */
  readonly servers: string
  /** Aborted by Ctrl-C. */
  readonly interrupted: AbortSignal
}

/**
 * Measures beside a nats-server that is the script's own, and prints the environment and the figures. Exit code 130
 * when it was interrupted. HOLDFAST_NATS_SERVER names the nats-server to use.
 *
 * @param print the figures for people
 */
export async function runScript<F>(
  settings: { readonly json: boolean },
  measure: (surroundings: Surroundings) => Promise<F>,
  print: (figures: F) => string,
): Promise<void> {
  const measureBesideServer = async (interrupted: AbortSignal) => {
    await using server = await startServer({ path: process.env['HOLDFAST_NATS_SERVER'] }, interrupted)
    const figures = await measure({ servers: server.url, interrupted })
    return { figures, nats: server.serverVersion }
  }
  await runAlone(settings, measureBesideServer, print)
}

/** The same for a script that starts its nats-servers itself; it answers their version with its figures. */
export async function runAlone<F>(
  { json, ...settings }: { readonly json: boolean },
  measure: (interrupted: AbortSignal) => Promise<{ readonly figures: F; readonly nats: string }>,
  print: (figures: F) => string,
): Promise<void> {
  const interruption = new AbortController()
  const interrupted = interruption.signal
  setMaxListeners(0, interrupted)
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => interruption.abort(new Error('interrupted')))
  }
  try {
    const { figures, nats } = await measure(interrupted)
    const processors = cpus()
    const environment = {
      nats,
      node: process.version,
      processors: `${processors.length} × ${processors[0]?.model}`,
      ...settings,
    }
    process.stdout.write(
      json
        ? `${JSON.stringify({ environment, figures })}\n`
        : `${JSON.stringify(environment)}\n${print(figures)}`,
    )
  } catch (error) {
    if (!interrupted.aborted) throw error
    process.exitCode = 130
  }
}

/** One figure a line. */
export function printFigures(figures: Readonly<Record<string, number>>): string {
  const entries = Object.entries(figures)
  const width = Math.max(...entries.map(([name]) => name.length))
  return entries.map(([name, value]) => `${name.padEnd(width)} ${String(value).padStart(9)}\n`).join('')
}
