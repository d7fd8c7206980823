import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'

import { readFromArchive } from './archive.ts'
import { binaryName, keepInCache } from './cache.ts'
import { within } from './run.ts'
import { PROVIDED_VERSION } from './version.ts'

/** Where the project publishes its releases. */
export const RELEASE_URL = 'https://github.com/nats-io/nats-server/releases/download'

/** Far above a real archive (7 MB), far below what would hurt. */
const MAX_ARCHIVE_BYTES = 128 * 1024 * 1024

const SYSTEMS: Readonly<Partial<Record<NodeJS.Platform, string>>> = {
  darwin: 'darwin',
  linux: 'linux',
  win32: 'windows',
}
const ARCHITECTURES: Readonly<Partial<Record<NodeJS.Architecture, string>>> = { arm64: 'arm64', x64: 'amd64' }

/** What a download needs to know. */
export interface ReleaseOptions {
  readonly arch?: NodeJS.Architecture
  readonly cacheDir: string
  readonly onProgress: (message: string) => void
  readonly platform?: NodeJS.Platform
  readonly releaseUrl: string
  /** How long to wait for the first byte, and for every further one. */
  readonly timeoutMs: number
}

/**
 * Downloads the official release archive and keeps its binary in the cache.
 *
 * The archive is compared with the SHA256SUMS published beside it before anything in it is unpacked, let alone
 * run. That guards against a broken or exchanged archive; that the sums themselves are the project's own rests
 * on HTTPS.
 *
 * @throws Error when there is no release for this machine, it cannot be had in time, or the sums differ
 */
export async function provideRelease(
  options: ReleaseOptions,
  signal?: AbortSignal,
): Promise<{ readonly path: string; readonly version: string }> {
  const platform = options.platform ?? process.platform
  const archive = archiveName(platform, options.arch ?? process.arch)
  const folder = `${options.releaseUrl}/v${PROVIDED_VERSION}`
  options.onProgress(`downloading nats-server ${PROVIDED_VERSION} (${folder}/${archive})`)
  const sums = await download(`${folder}/SHA256SUMS`, options.timeoutMs, signal)
  const bytes = await download(`${folder}/${archive}`, options.timeoutMs, signal)
  verify(archive, bytes, sums.toString('utf8'))
  const name = binaryName(platform)
  const binary = await readFromArchive(archive, bytes, name)
  return await keepInCache(options.cacheDir, name, path => writeFile(path, binary), PROVIDED_VERSION)
}

function archiveName(platform: NodeJS.Platform, arch: NodeJS.Architecture): string {
  const system = SYSTEMS[platform]
  const processor = ARCHITECTURES[arch]
  if (system === undefined || processor === undefined) {
    throw new Error(`there is no release we know of for ${platform} on ${arch}`)
  }
  return `nats-server-v${PROVIDED_VERSION}-${system}-${processor}.${system === 'windows' ? 'zip' : 'tar.gz'}`
}

function verify(archive: string, bytes: Buffer, sums: string): void {
  const line = sums.split('\n').find(candidate => candidate.trim().split(/\s+\*?/)[1] === archive)
  if (line === undefined) throw new Error(`SHA256SUMS does not list ${archive}`)
  const published = line.trim().split(/\s+/)[0]?.toLowerCase()
  const computed = createHash('sha256').update(bytes).digest('hex')
  if (computed !== published) {
    throw new Error(`${archive} has the SHA-256 ${computed}, but ${published} was published`)
  }
}

async function download(url: string, timeoutMs: number, signal?: AbortSignal): Promise<Buffer> {
  const late = `${new URL(url).host} sent nothing for ${timeoutMs} ms`
  const done = new AbortController()
  const stop = signal === undefined ? done.signal : AbortSignal.any([done.signal, signal])
  try {
    const response = await within(fetch(url, { signal: stop }), timeoutMs, late)
    if (!response.ok) throw new Error(`${url} answered ${response.status}`)
    const chunks: Uint8Array[] = []
    let size = 0
    const reader = response.body?.getReader()
    while (reader !== undefined) {
      const { done: ended, value } = await within(reader.read(), timeoutMs, late)
      if (ended) break
      size += value.length
      if (size > MAX_ARCHIVE_BYTES) throw new Error(`${url} is larger than ${MAX_ARCHIVE_BYTES} bytes`)
      chunks.push(value)
    }
    return Buffer.concat(chunks)
  } finally {
    // Closes the connection when we leave before its end.
    done.abort()
  }
}
