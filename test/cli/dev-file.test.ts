import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'

import {
  claimDataFolder,
  findDev,
  isFoundFrom,
  publishDevFacts,
  releaseDataFolder,
} from '../../src/cli/dev-file.ts'
import { scratchDir } from '../support/processes.ts'

/** A pid that no process has: above what Linux and macOS hand out. */
const nobody = 2 ** 30
const ours = { namespace: 'n', pid: process.pid }

async function dataFolder(): Promise<string> {
  const folder = join(await scratchDir(), '.holdfast')
  await mkdir(folder)
  return folder
}

async function listeningUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  return `nats://127.0.0.1:${(server.address() as { port: number }).port}`
}

describe('a data folder', () => {
  it('is refused while its owner lives, before and after it can be reached', async () => {
    const folder = await dataFolder()
    await claimDataFolder(folder, ours)

    await expect(claimDataFolder(folder, ours)).rejects.toMatchObject({
      code: 'NODE_NAME_TAKEN',
      message: expect.stringContaining(`as process ${process.pid} and is starting`),
    })
    await publishDevFacts(folder, { ...ours, url: await listeningUrl() })
    await expect(claimDataFolder(folder, ours)).rejects.toMatchObject({ code: 'NODE_NAME_TAKEN' })
    expect(await readdir(folder)).toEqual(['dev.json'])
  })

  it.each([
    ['whose owner has gone', JSON.stringify({ namespace: 'n', pid: nobody })],
    ['whose owner cannot be reached any more', JSON.stringify({ ...ours, url: 'nats://127.0.0.1:1' })],
    ['that says nothing readable', '{"pid"'],
  ])('%s is taken over', async (_, content) => {
    const folder = await dataFolder()
    await writeFile(join(folder, 'dev.json'), content)

    await claimDataFolder(folder, { ...ours, namespace: 'new' })

    expect(await findDev(folder.slice(0, -'.holdfast'.length - 1))).toMatchObject({ namespace: 'new' })
  })

  it('is found from the folder it lies in and all below, while its owner lives', async () => {
    const folder = await dataFolder()
    const project = join(folder, '..')
    const below = join(project, 'a', 'b')
    await mkdir(below, { recursive: true })

    await publishDevFacts(folder, { ...ours, url: 'nats://127.0.0.1:9' })
    expect(await findDev(below)).toEqual({ ...ours, url: 'nats://127.0.0.1:9' })
    await publishDevFacts(folder, { ...ours, pid: nobody })
    expect(await findDev(below)).toBeUndefined()
    await publishDevFacts(folder, ours)
    await releaseDataFolder(folder)
    expect(await findDev(below)).toBeUndefined()
  })

  it.each([
    ['/p', '/p/.holdfast', true],
    ['/p/a', '/p/.holdfast', true],
    ['/q', '/p/.holdfast', false],
    ['/p', '/p/data', false],
    ['/p', '/p/x.holdfast', false],
  ])('from %s, %s is found: %j', (folder, data, isFound) => {
    expect(isFoundFrom(folder, data)).toBe(isFound)
  })
})
