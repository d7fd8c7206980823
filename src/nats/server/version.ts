import { run } from './run.ts'

/** The version Holdfast is tested with, and the one it downloads. */
export const PROVIDED_VERSION = '2.15.1'

/** Anything older is refused, even alone on one machine. */
export const MINIMUM_VERSION = '2.9.10'

/** Before this version a server cannot be told when to sync to disk. */
export const SYNC_INTERVAL_VERSION = '2.10.0'

const VERSION = /\bv?(\d+\.\d+\.\d+[-+.\w]*)/

/**
 * Asks a binary for its version by running it, which also shows that it runs here at all.
 *
 * @throws Error when it does not run, or is not a nats-server
 */
export async function readVersion(binary: string, signal?: AbortSignal): Promise<string> {
  const output = await run(binary, ['--version'], { environment: {}, timeoutMs: 10_000 }, signal)
  const version = output.startsWith('nats-server') ? VERSION.exec(output)?.[1] : undefined
  if (version === undefined)
    throw new Error(`${binary} is no nats-server: it calls itself "${output.trim()}"`)
  return version
}

/** Orders two versions by their three numbers, like a sort callback; what follows the numbers does not count. */
export function compareVersions(a: string, b: string): number {
  const left = numbersOf(a)
  const right = numbersOf(b)
  for (const index of [0, 1, 2]) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

/** True when the text begins with a version, as the names of the cache's folders do. */
export function isVersion(text: string): boolean {
  return /^\d+\.\d+\.\d+/.test(text)
}

function numbersOf(version: string): number[] {
  return version.split('.', 3).map(part => Number.parseInt(part, 10))
}
