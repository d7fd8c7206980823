import { chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

import { compareVersions, isVersion, readVersion } from './version.ts'

/** What the program is called on a platform. */
export function binaryName(platform: NodeJS.Platform = process.platform): string {
  return platform === 'win32' ? 'nats-server.exe' : 'nats-server'
}

/** Where a user's own copies live: `holdfast/nats-server` below `XDG_CACHE_HOME`, else below `~/.cache`. */
export function defaultCacheDir(): string {
  const configured = process.env['XDG_CACHE_HOME']
  // The XDG base directory specification: a relative path counts as unset.
  const base = configured !== undefined && isAbsolute(configured) ? configured : join(homedir(), '.cache')
  return join(base, 'holdfast', 'nats-server')
}

/** The versions kept in the cache: `preferred` first, then the newest. */
export async function cachedVersions(cacheDir: string, preferred: string): Promise<string[]> {
  const names = await readdir(cacheDir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  const newestFirst = names.filter(isVersion).toSorted((a, b) => compareVersions(b, a))
  return newestFirst.toSorted((a, b) => Number(b === preferred) - Number(a === preferred))
}

/**
 * Moves a binary into the cache and answers where it is and which version it has.
 *
 * `fill` writes the binary to the path it is given, a place of this call alone; it is run once there, and only
 * then renamed to its final name. So nobody ever sees half of it, and of two processes that do this at once both
 * end up with a whole one.
 *
 * @throws Error when the binary does not run here, or is not of the version `expected`
 */
export async function keepInCache(
  cacheDir: string,
  name: string,
  fill: (path: string) => Promise<void>,
  expected?: string,
): Promise<{ readonly path: string; readonly version: string }> {
  await mkdir(cacheDir, { recursive: true })
  const incoming = await mkdtemp(join(cacheDir, '.incoming-'))
  try {
    const arrived = join(incoming, name)
    await fill(arrived)
    await chmod(arrived, 0o755)
    const version = await readVersion(arrived)
    if (expected !== undefined && version !== expected) {
      throw new Error(`it is version ${version}, not ${expected}`)
    }
    const path = join(cacheDir, version, name)
    await mkdir(join(cacheDir, version), { recursive: true })
    await replace(arrived, path)
    return { path, version }
  } finally {
    await rm(incoming, { recursive: true, force: true })
  }
}

/** Copies a file that is not on the cache's file system; for use as `fill`. */
export function copyOf(source: string): (path: string) => Promise<void> {
  return path => copyFile(source, path)
}

async function replace(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    // Windows does not replace a program that is running; the one there is then as good as ours.
    await readVersion(to).catch(() => {
      throw error
    })
  }
}
