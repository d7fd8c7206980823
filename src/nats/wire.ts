import type { Wire } from '../../actors/ports.ts'
import type { HeaderReader } from './headers.ts'

/**
 * A message as it was published. Headers of NATS itself only told the server what to do with it. Servers take any bytes for
 * headers: those that could not be sent again, or not be read then, are left out.
 */
export function wireOf(data: Uint8Array, headers: HeaderReader | undefined): Wire {
  const kept: [string, string][] = []
  for (const [name, values] of headers ?? []) {
    if (name.startsWith('Nats-') || !/^[!-9;-~]+$/.test(name)) continue
    for (const value of values) if (!/[\r\n]/.test(value)) kept.push([name, value])
  }
  return { data, headers: kept }
}
