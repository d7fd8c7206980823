import type { Wire } from '../../actors/ports.ts'
import type { HeaderReader } from './headers.ts'

/** A message as it was published. Headers of NATS itself only told the server what to do with it. */
export function wireOf(data: Uint8Array, headers: HeaderReader | undefined): Wire {
  const kept: [string, string][] = []
  for (const [name, values] of headers ?? []) {
    if (!name.startsWith('Nats-')) for (const value of values) kept.push([name, value])
  }
  return { data, headers: kept }
}
