import { createHash } from 'node:crypto'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32, deflateRawSync, gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'

import { findServer, PROVIDED_VERSION } from '../../src/nats/server.ts'
import { provideRelease, type ReleaseOptions } from '../../src/nats/server/release.ts'
import { scratchDir } from '../support/processes.ts'

const FOLDER = `nats-server-v${PROVIDED_VERSION}-linux-amd64`
const BINARY = Buffer.from(`#!/bin/sh\necho "nats-server: v${PROVIDED_VERSION}"\n`)
const SUMS = `/v${PROVIDED_VERSION}/SHA256SUMS`
const README = { path: `${FOLDER}/README.md`, content: Buffer.from('# NATS\n'.repeat(200)) }

interface File {
  readonly path: string
  readonly content: Buffer
}

/** As the project packs it: files in a folder of their own. */
function tarGz(files: readonly File[]): Buffer {
  const blocks = files.flatMap(({ path, content }) => {
    const header = Buffer.alloc(512)
    header.write(path, 0)
    header.write('0000755\0', 100)
    header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124)
    header.write('0ustar\x0000', 156)
    return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]
  })
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]))
}

function zip(files: readonly File[]): Buffer {
  let offset = 0
  const parts = files.map(({ path, content }) => {
    const packed = deflateRawSync(content)
    const common = Buffer.alloc(26)
    common.writeUInt16LE(20, 0)
    common.writeUInt16LE(8, 4)
    common.writeUInt32LE(crc32(content), 10)
    common.writeUInt32LE(packed.length, 14)
    common.writeUInt32LE(content.length, 18)
    common.writeUInt16LE(path.length, 22)
    // Extra fields that the local header has and the directory has not.
    common.writeUInt16LE(4, 24)
    const local = Buffer.concat([
      Buffer.from('PK\x03\x04'),
      common,
      Buffer.from(path),
      Buffer.alloc(4),
      packed,
    ])
    common.writeUInt16LE(0, 24)
    const place = Buffer.alloc(14)
    place.writeUInt32LE(offset, 10)
    offset += local.length
    const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), common, place, Buffer.from(path)])
    return { local, central }
  })
  const directory = Buffer.concat(parts.map(({ central }) => central))
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 0)
  end.writeUInt16LE(files.length, 8)
  end.writeUInt16LE(files.length, 10)
  end.writeUInt32LE(directory.length, 12)
  end.writeUInt32LE(offset, 16)
  return Buffer.concat([...parts.map(({ local }) => local), directory, end])
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A place of releases that publishes these files. */
async function publish(files: Readonly<Record<string, Buffer | string>>): Promise<string> {
  return await serve((request, response) => {
    const body = files[request.url ?? '']
    response.writeHead(body === undefined ? 404 : 200).end(body)
  })
}

async function publishArchive(archive: string, bytes: Buffer, sum = sha256(bytes)): Promise<string> {
  return await publish({
    [SUMS]: `${'0'.repeat(64)}  some-other-archive.zip\n${sum}  ${archive}\n`,
    [`/v${PROVIDED_VERSION}/${archive}`]: bytes,
  })
}

async function release(releaseUrl: string): Promise<ReleaseOptions & { readonly cacheDir: string }> {
  return {
    arch: 'x64',
    cacheDir: await scratchDir(),
    onProgress: () => undefined,
    platform: 'linux',
    releaseUrl,
    timeoutMs: 5000,
  }
}

async function refusal(options: ReleaseOptions): Promise<string> {
  return await provideRelease(options).then(
    ({ path }) => `provided ${path}`,
    (error: Error) => error.message,
  )
}

const tarArchive = tarGz([README, { path: `${FOLDER}/nats-server`, content: BINARY }])

describe('provideRelease', () => {
  it('keeps the binary of the published archive in the cache', async () => {
    const options = await release(await publishArchive(`${FOLDER}.tar.gz`, tarArchive))

    const provided = await provideRelease(options)

    expect(provided).toEqual({
      path: join(options.cacheDir, PROVIDED_VERSION, 'nats-server'),
      version: PROVIDED_VERSION,
    })
    expect(await readdir(options.cacheDir)).toEqual([PROVIDED_VERSION])
  })

  it('reads the zip archive that is published for Windows', async () => {
    const folder = `nats-server-v${PROVIDED_VERSION}-windows-arm64`
    const bytes = zip([README, { path: `${folder}/nats-server.exe`, content: BINARY }])
    const options = await release(await publishArchive(`${folder}.zip`, bytes))

    const provided = await provideRelease({ ...options, arch: 'arm64', platform: 'win32' })

    expect(provided.path).toBe(join(options.cacheDir, PROVIDED_VERSION, 'nats-server.exe'))
  })

  it('refuses an archive with another checksum and caches nothing', async () => {
    const options = await release(
      await publishArchive(`${FOLDER}.tar.gz`, tarArchive, sha256(Buffer.from('other'))),
    )

    const reason = await refusal(options)

    expect(reason).toContain(`has the SHA-256 ${sha256(tarArchive)}, but`)
    expect(await readdir(options.cacheDir)).toEqual([])
  })

  it('refuses an archive the published checksums do not name', async () => {
    const options = await release(
      await publish({
        [SUMS]: `${sha256(tarArchive)}  another.tar.gz\n`,
        [`/v${PROVIDED_VERSION}/${FOLDER}.tar.gz`]: tarArchive,
      }),
    )

    const reason = await refusal(options)

    expect(reason).toBe(`SHA256SUMS does not list ${FOLDER}.tar.gz`)
  })

  it('refuses a binary of another version and caches nothing', async () => {
    const other = Buffer.from('#!/bin/sh\necho "nats-server: v2.15.0"\n')
    const bytes = tarGz([{ path: `${FOLDER}/nats-server`, content: other }])
    const options = await release(await publishArchive(`${FOLDER}.tar.gz`, bytes))

    const reason = await refusal(options)

    expect(reason).toBe('it is version 2.15.0, not 2.15.1')
    expect(await readdir(options.cacheDir)).toEqual([])
  })

  it('says so when the release does not exist', async () => {
    const url = await publish({})

    const reason = await refusal(await release(url))

    expect(reason).toBe(`${url}${SUMS} answered 404`)
  })

  it('says so when there is no release for the machine', async () => {
    const options = await release('http://127.0.0.1:1')

    const reason = await refusal({ ...options, arch: 'mips' })

    expect(reason).toBe('there is no release we know of for linux on mips')
  })

  it.each([
    ['that never answers', (() => undefined) satisfies RequestListener],
    [
      'that stops in the middle',
      ((_, response) => void response.writeHead(200).write('a few bytes')) satisfies RequestListener,
    ],
  ])('gives up on a server %s', async (_, listener: RequestListener) => {
    const url = await serve(listener)

    const reason = await refusal({ ...(await release(url)), timeoutMs: 100 })

    expect(reason).toBe(`${new URL(url).host} sent nothing for 100 ms`)
  })

  it('lets two downloads at once both win', async () => {
    const options = await release(await publishArchive(`${FOLDER}.tar.gz`, tarArchive))

    const provided = await Promise.all([provideRelease(options), provideRelease(options)])

    expect(new Set(provided.map(({ path }) => path)).size).toBe(1)
    expect(await readdir(options.cacheDir)).toEqual([PROVIDED_VERSION])
  })
})

describe.skipIf(process.platform !== 'linux' || process.arch !== 'x64')('findServer with a release', () => {
  it('downloads once and takes it from the cache from then on', async () => {
    const requested: string[] = []
    const url = await serve((request, response) => {
      requested.push(request.url ?? '')
      response.end(request.url === SUMS ? `${sha256(tarArchive)}  ${FOLDER}.tar.gz\n` : tarArchive)
    })
    const options = {
      cacheDir: await scratchDir(),
      provide: ['release' as const],
      releaseUrl: url,
      searchPath: '',
    }

    const first = await findServer(options)
    const second = await findServer(options)

    expect([first.source, second.source]).toEqual(['release', 'cache'])
    expect(second.path).toBe(first.path)
    expect(requested).toEqual([SUMS, `/v${PROVIDED_VERSION}/${FOLDER}.tar.gz`])
  })
})
