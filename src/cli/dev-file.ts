/**
 * `.holdfast/dev.json`: how the other commands find a running `holdfast dev`, and how a second one on the same data
 * is kept out. Whoever creates the file owns the folder for as long as its process lives.
 */
import { once } from 'node:events'
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { basename, dirname, join, relative } from 'node:path'

import { RuntimeError } from '../../actors/errors.ts'

/** What the file says. */
export interface DevFacts {
  readonly namespace: string
  readonly pid: number
  /** Undefined while it starts. */
  readonly url?: string | undefined
}

/** The name of the folder `holdfast dev` keeps its data in, unless told otherwise. */
export const dataFolderName = '.holdfast'

const answerTimeoutMs = 1_000

/**
 * Claims a data folder for this process.
 *
 * @throws RuntimeError `NODE_NAME_TAKEN` naming the process that has it
 */
export async function claimDataFolder(dataFolder: string, facts: DevFacts): Promise<void> {
  const file = devFile(dataFolder)
  const draft = `${file}.${facts.pid}`
  await writeFile(draft, JSON.stringify(facts), { mode: 0o600 })
  try {
    // A link, because it fails when the name is taken, and the file is never there without its content.
    while (!(await linked(draft, file))) {
      const owner = await readDevFile(dataFolder)
      if (owner !== undefined && (await isRunning(owner))) throw alreadyRunning(dataFolder, owner)
      await rm(file, { force: true })
    }
  } finally {
    await rm(draft, { force: true })
  }
}

/** Says where it can be reached, once it can. */
export async function publishDevFacts(dataFolder: string, facts: DevFacts): Promise<void> {
  const file = devFile(dataFolder)
  const draft = `${file}.${facts.pid}`
  await writeFile(draft, JSON.stringify(facts), { mode: 0o600 })
  await rename(draft, file)
}

/** Gives the folder up. */
export async function releaseDataFolder(dataFolder: string): Promise<void> {
  await rm(devFile(dataFolder), { force: true })
}

/** The `holdfast dev` of this folder or the nearest one above; undefined when none is running. */
export async function findDev(folder: string): Promise<DevFacts | undefined> {
  for (let current = folder; ; current = dirname(current)) {
    const facts = await readDevFile(join(current, dataFolderName))
    if (facts !== undefined && isAlive(facts.pid)) return facts
    if (dirname(current) === current) return undefined
  }
}

/** True when commands run in that folder find this data folder by themselves. */
export function isFoundFrom(folder: string, dataFolder: string): boolean {
  const way = relative(dirname(dataFolder), folder)
  return basename(dataFolder) === dataFolderName && !way.startsWith('..')
}

async function readDevFile(dataFolder: string): Promise<DevFacts | undefined> {
  try {
    const facts = JSON.parse(await readFile(devFile(dataFolder), 'utf8')) as Partial<DevFacts> | null
    const { namespace, pid, url } = facts ?? {}
    return typeof namespace === 'string' && Number.isSafeInteger(pid)
      ? { namespace, pid: pid!, url }
      : undefined
  } catch {
    // Not there, not ours to read, or not what we write: as good as none.
    return undefined
  }
}

/** Its NATS too, because after a restart of the machine its pid may be another program's. */
async function isRunning({ pid, url }: DevFacts): Promise<boolean> {
  return isAlive(pid) && (url === undefined || (await answers(url)))
}

async function answers(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port || 4222) })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(answerTimeoutMs) })
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives, but is another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function alreadyRunning(dataFolder: string, { pid, url }: DevFacts): RuntimeError {
  const where = url === undefined ? 'and is starting' : `at ${url}`
  return new RuntimeError(
    'NODE_NAME_TAKEN',
    `holdfast dev already runs on ${dataFolder} as process ${pid} ${where}; ` +
      'stop it first, or use another folder with --data',
    { fields: { data: dataFolder, pid, url } },
  )
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function devFile(dataFolder: string): string {
  return join(dataFolder, 'dev.json')
}
