import { access, constants } from 'node:fs/promises'
import { delimiter, isAbsolute, join, resolve } from 'node:path'

import { RuntimeError } from '../../../actors/errors.ts'
import { binaryName, cachedVersions, defaultCacheDir } from './cache.ts'
import { provideFromDebian } from './debian.ts'
import { provideRelease, RELEASE_URL } from './release.ts'
import { reasonOf } from './run.ts'
import { compareVersions, MINIMUM_VERSION, PROVIDED_VERSION, readVersion } from './version.ts'

/** Where a server came from: the option, the PATH, our cache, the project's releases, the distribution. */
export type ServerSource = 'option' | 'path' | 'cache' | 'release' | 'debian'

/** A nats-server that runs on this machine. */
export interface FoundServer {
  readonly path: string
  readonly source: ServerSource
  readonly version: string
}

/** Where to look for a nats-server, and what may be done to get one. */
export interface FindServerOptions {
  /** Where downloaded servers are kept, a folder per version. Default: the user's cache. */
  readonly cacheDir?: string | undefined
  /** Silence after which a download is given up, milliseconds. Default 10,000. */
  readonly networkTimeoutMs?: number | undefined
  /** Told in a short sentence whatever takes long. Default: nobody. */
  readonly onProgress?: ((message: string) => void) | undefined
  /** This binary and no other. Default: the best that can be found. */
  readonly path?: string | undefined
  /** Ways to fetch a server when there is none, in this order; empty: only look. Default both. */
  readonly provide?: readonly ('release' | 'debian')[] | undefined
  /** Where the release archives lie. Default: where the project publishes them. */
  readonly releaseUrl?: string | undefined
  /** Folders to search, separated as in PATH. Default: PATH. */
  readonly searchPath?: string | undefined
}

/** Why one place gave no server. */
export interface FailedSearch {
  readonly source: ServerSource
  readonly reason: string
}

type Search = Required<{ [K in Exclude<keyof FindServerOptions, 'path'>]: NonNullable<FindServerOptions[K]> }>

/**
 * Finds a nats-server, or fetches one: the binary given, else PATH, else the user's cache, else the project's
 * release for this machine, else the package of the Linux distribution. What is fetched is verified before it is
 * run and kept in the cache. A server from the distribution may be older than the release we would download; it
 * is used once the release cannot be had.
 *
 * @throws RuntimeError `SERVER_NOT_FOUND` when there is none, with the reason of every place in `fields.searches`;
 * `SERVER_UNSUPPORTED` when the binary given is too old
 */
export async function findServer(
  options: FindServerOptions = {},
  signal?: AbortSignal,
): Promise<FoundServer> {
  if (options.path !== undefined) return await takeGiven(options.path, signal)
  const search: Search = {
    cacheDir: options.cacheDir ?? defaultCacheDir(),
    networkTimeoutMs: options.networkTimeoutMs ?? 10_000,
    onProgress: options.onProgress ?? (() => undefined),
    provide: options.provide ?? ['release', 'debian'],
    releaseUrl: options.releaseUrl ?? RELEASE_URL,
    searchPath: options.searchPath ?? process.env['PATH'] ?? '',
  }
  const failed: FailedSearch[] = []
  for (const [source, look] of places(search)) {
    signal?.throwIfAborted()
    try {
      const found = await look(reason => failed.push({ source, reason }), signal)
      if (found !== undefined) return { source, ...found }
    } catch (error) {
      signal?.throwIfAborted()
      failed.push({ source, reason: reasonOf(error) })
    }
  }
  throw notFound(failed)
}

type Look = (
  skip: (reason: string) => void,
  signal: AbortSignal | undefined,
) => Promise<Omit<FoundServer, 'source'> | undefined>

function places(search: Search): [ServerSource, Look][] {
  const { cacheDir, networkTimeoutMs: timeoutMs, onProgress, releaseUrl, searchPath } = search
  const fetched: Record<'release' | 'debian', Look> = {
    release: (_, signal) => provideRelease({ cacheDir, onProgress, releaseUrl, timeoutMs }, signal),
    debian: (_, signal) => provideFromDebian({ cacheDir, onProgress, timeoutMs }, signal),
  }
  const inCache =
    (wanted: (version: string) => boolean): Look =>
    async (skip, signal) => {
      const versions = (await cachedVersions(cacheDir, PROVIDED_VERSION)).filter(wanted)
      return await firstUsable(
        versions.map(version => join(cacheDir, version, binaryName())),
        skip,
        signal,
      )
    }
  const current = (version: string): boolean => compareVersions(version, PROVIDED_VERSION) >= 0
  const download: [ServerSource, Look][] = search.provide.map(way => [way, fetched[way]])
  // An older server that a distribution gave us before is no reason not to ask for the release again, but it is
  // one not to fetch the same package twice.
  const older: [ServerSource, Look] = ['cache', inCache(version => !current(version))]
  const packages = download.findIndex(([source]) => source === 'debian')
  return [
    ['path', (skip, signal) => firstUsable(candidates(searchPath), skip, signal)],
    ['cache', inCache(current)],
    ...download.toSpliced(packages < 0 ? download.length : packages, 0, older),
  ]
}

function candidates(searchPath: string): string[] {
  // An empty or relative entry means the working folder: what lies there is nobody's choice of a server.
  const folders = searchPath.split(delimiter).filter(folder => isAbsolute(folder))
  return folders.map(folder => join(folder, binaryName()))
}

/** The first of these files that exists, runs and is new enough; says of the others that exist why not. */
async function firstUsable(
  paths: readonly string[],
  skip: (reason: string) => void,
  signal: AbortSignal | undefined,
): Promise<Omit<FoundServer, 'source'> | undefined> {
  for (const path of paths) {
    const present = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (!present) continue
    try {
      const version = await readVersion(path, signal)
      if (compareVersions(version, MINIMUM_VERSION) >= 0) return { path, version }
      skip(`${path} is version ${version}, older than ${MINIMUM_VERSION}`)
    } catch (error) {
      signal?.throwIfAborted()
      skip(reasonOf(error))
    }
  }
  return undefined
}

async function takeGiven(given: string, signal: AbortSignal | undefined): Promise<FoundServer> {
  const path = resolve(given)
  const version = await readVersion(path, signal).catch((error: unknown) => {
    signal?.throwIfAborted()
    const searches: FailedSearch[] = [{ source: 'option', reason: reasonOf(error) }]
    throw new RuntimeError(
      'SERVER_NOT_FOUND',
      `Cannot run the nats-server given, ${path}: ${reasonOf(error)}`,
      {
        cause: error,
        fields: { path, searches },
      },
    )
  })
  if (compareVersions(version, MINIMUM_VERSION) < 0) {
    const message = `The nats-server given, ${path}, is version ${version}; Holdfast needs ${MINIMUM_VERSION} or later`
    throw new RuntimeError('SERVER_UNSUPPORTED', message, {
      fields: { minimum: MINIMUM_VERSION, path, version },
    })
  }
  return { path, source: 'option', version }
}

function notFound(searches: readonly FailedSearch[]): RuntimeError {
  const reasons = searches.map(({ source, reason }) => `  ${source}: ${reason}`)
  const lines = [
    `Found no nats-server (${MINIMUM_VERSION} or later) and could not fetch one. Any of these helps:`,
    '  - put nats-server on the PATH',
    '  - name a binary: HOLDFAST_NATS_SERVER=/path/to/nats-server, or the option `path`',
    '  - use a server that runs already, by its URL',
    ...(reasons.length === 0 ? [] : ['What was tried:', ...reasons]),
  ]
  return new RuntimeError('SERVER_NOT_FOUND', lines.join('\n'), { fields: { searches } })
}
