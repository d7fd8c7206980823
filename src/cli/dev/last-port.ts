/**
 * `.holdfast/port`: where the NATS of this folder listened last. It comes back there, so that what is connected to it finds
 * it again after a restart.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Undefined when there is none yet. */
export async function readLastPort(dataFolder: string): Promise<number | undefined> {
  const content = await readFile(portFile(dataFolder), 'utf8').catch(() => '')
  const port = Number(content)
  return Number.isInteger(port) && port >= 1 && port <= 65_535 ? port : undefined
}

export async function keepPort(dataFolder: string, port: number): Promise<void> {
  await writeFile(portFile(dataFolder), `${port}\n`)
}

function portFile(dataFolder: string): string {
  return join(dataFolder, 'port')
}
