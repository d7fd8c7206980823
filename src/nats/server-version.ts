import type { ServerInfo } from 'nats'
import { RuntimeError } from '../../actors/errors.ts'

type Version = readonly [number, number, number]

/** Below this a server on its own lacks what we need. */
const lowestAlone: Version = [2, 9, 10]
/** Below this a cluster can accept two different writes at the same revision: the fence would not hold. */
const lowestClustered: Version = [2, 10, 23]

/**
 * Refuses a server that is too old.
 *
 * @throws RuntimeError `SERVER_UNSUPPORTED` naming both versions
 */
export function requireSupported(info: Pick<ServerInfo, 'cluster' | 'version'>): void {
  const isClustered = info.cluster !== undefined && info.cluster !== ''
  const lowest = isClustered ? lowestClustered : lowestAlone
  if (isAtLeast(info.version, lowest)) return
  throw new RuntimeError(
    'SERVER_UNSUPPORTED',
    `this nats-server is ${info.version}; ${isClustered ? 'a cluster' : 'a single server'} must be ` +
      `${lowest.join('.')} or newer`,
    { fields: { clustered: isClustered, lowest: lowest.join('.'), version: info.version } },
  )
}

/** True when a version text like `2.15.1` or `2.12.0-RC.1` is at least that version. */
export function isAtLeast(text: string, lowest: Version): boolean {
  const match = /^v?(\d+)\.(\d+)\.(\d+)/.exec(text)
  if (match === null) return false
  for (const [index, wanted] of lowest.entries()) {
    const found = Number(match[index + 1])
    if (found !== wanted) return found > wanted
  }
  return true
}
