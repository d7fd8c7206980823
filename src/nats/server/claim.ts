/**
 * One store, one server. nats-server does not lock its folder, and two of them in one would destroy it. That is
 * close at hand: after a crash of the process that started it, the old server needs up to a second to end, and
 * the restarted process wants the same folder at once.
 *
 * So the folder holds the pid of its server, put there before that server runs. A holder that lives is waited
 * for; one that does not live, or whose pid now belongs to another program, has left the store.
 */
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setInterval } from 'node:timers/promises'

import { run } from './run.ts'

/**
 * Claims the store for a process, as soon as no other holds it.
 *
 * @param mark what the command line of every server of this store contains
 * @throws the signal's reason when it is aborted while another process holds the store
 */
export async function claimStore(
  storeDir: string,
  pid: number,
  mark: string,
  signal: AbortSignal,
): Promise<void> {
  const file = claimFile(storeDir)
  const draft = `${file}.${pid}`
  await writeFile(draft, `${pid}\n`)
  try {
    // A link, because it both fails when the name is taken and never shows a file without its content.
    if (await linked(draft, file)) return
    for await (const _ of setInterval(20, undefined, { signal })) {
      const holder = await pidIn(file)
      if (holder !== undefined && holder !== pid && (await isRunning(holder, mark))) continue
      if (holder !== undefined) await removeClaim(holder, file, draft)
      if (await linked(draft, file)) return
    }
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}

/** Gives the store up, if it still is this process's. */
export async function releaseStore(storeDir: string, pid: number): Promise<void> {
  const file = claimFile(storeDir)
  if ((await pidIn(file)) !== pid) return
  const draft = `${file}.${pid}.released`
  await writeFile(draft, `${process.pid}\n`)
  try {
    await removeClaim(pid, file, draft)
  } finally {
    await rm(draft, { force: true })
  }
}

/**
 * Removes the claim of a holder that is gone, unless somebody else is about to. Between a look at the file and its removal
 * another may have put its own claim there. So one process at a time removes that of a holder, and looks when it is its turn.
 *
 * @param draft a file with the pid of the process that removes it
 */
async function removeClaim(holder: number, file: string, draft: string): Promise<void> {
  const turn = `${file}.of-${holder}`
  if (!(await linked(draft, turn))) {
    // Whoever had the turn may have been killed in the middle of it.
    const remover = await pidIn(turn)
    if (remover !== undefined && !(await isRunning(remover, ''))) await rm(turn, { force: true })
    return
  }
  try {
    if (Object.is(await pidIn(file), holder)) await rm(file, { force: true })
  } finally {
    await rm(turn, { force: true })
  }
}

/** The pid that holds the store, alive or not; undefined when none does. */
export async function claimHolder(storeDir: string): Promise<number | undefined> {
  const pid = await pidIn(claimFile(storeDir))
  return Number.isNaN(pid) ? undefined : pid
}

/** NaN when the file holds no pid, undefined when there is no such file. */
async function pidIn(file: string): Promise<number | undefined> {
  const content = await readFile(file, 'utf8').catch(() => undefined)
  return content === undefined ? undefined : Number.parseInt(content, 10)
}

function claimFile(storeDir: string): string {
  return join(storeDir, 'nats-server.pid')
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

/** True when that process lives and its command line contains the mark. A zombie has no command line. */
async function isRunning(pid: number, mark: string): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it lives, but is another user's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  if (process.platform === 'win32') return true
  const commandLine =
    process.platform === 'linux'
      ? readFile(`/proc/${pid}/cmdline`, 'utf8')
      : run('ps', ['-o', 'args=', '-ww', '-p', String(pid)], { timeoutMs: 5000 })
  // Unreadable: it ended just now.
  return (await commandLine.catch(() => '')).includes(mark)
}
