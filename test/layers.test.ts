import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'

import { describe, expect, it } from 'vitest'

const root = resolve(import.meta.dirname, '..')

/**
 * Who may import whom, most specific folder first. A folder may always import itself; anything absent from its
 * list is a design error. Changing this table is a design decision.
 */
const allowed: Readonly<Record<string, readonly string[]>> = {
  'actors/workflows': ['src/index.ts'],
  'actors/supervisors': ['actors'],
  'actors/xstate': ['actors'],
  actors: ['actors/supervisors', 'actors/xstate'],
  'src/workflow': ['actors'],
  'src/codec': ['actors', 'src/workflow'],
  'src/clock.ts': ['actors'],
  'src/memory': ['actors', 'src/codec', 'src/workflow'],
  'src/nats': ['actors', 'src/codec', 'src/workflow'],
  'src/client': ['actors', 'src/clock.ts', 'src/codec', 'src/nats', 'src/workflow'],
  'src/runtime': [
    'actors',
    'actors/supervisors',
    'actors/xstate',
    'src/client',
    'src/clock.ts',
    'src/codec',
    'src/nats',
    'src/workflow',
  ],
  'src/index.ts': ['actors', 'src/client', 'src/nats', 'src/runtime', 'src/workflow'],
  'src/cli': [
    'actors',
    'actors/workflows',
    'src/client',
    'src/clock.ts',
    'src/codec',
    'src/index.ts',
    'src/nats',
    'src/runtime',
    'src/workflow',
  ],
}

/** Packages that only one layer may touch. */
const reserved: Readonly<Record<string, string>> = { nats: 'src/nats', msgpackr: 'src/codec' }

interface Import {
  readonly from: string
  readonly to: string
}

async function importsOf(): Promise<{ files: number; local: Import[]; packages: Import[] }> {
  const entries = await Promise.all(
    ['src', 'actors'].map(folder => readdir(join(root, folder), { recursive: true, withFileTypes: true })),
  )
  const files = entries
    .flat()
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => join(entry.parentPath, entry.name))
  const local: Import[] = []
  const packages: Import[] = []
  for (const file of files) {
    const from = relative(root, file)
    const text = await readFile(file, 'utf8')
    for (const [, target = ''] of text.matchAll(/\b(?:from|import)\s*\(?\s*'([^']+)'/g)) {
      if (target.startsWith('.')) local.push({ from, to: relative(root, resolve(dirname(file), target)) })
      else packages.push({ from, to: target })
    }
  }
  return { files: files.length, local, packages }
}

function layerOf(file: string): string {
  const layer = Object.keys(allowed).find(name => file === name || file.startsWith(`${name}/`))
  if (layer === undefined) throw new Error(`${file} belongs to no layer: add it to the table`)
  return layer
}

describe('the layers', () => {
  it('import only what the table allows', async () => {
    const { files, local } = await importsOf()

    const violations = local
      .filter(
        ({ from, to }) => layerOf(from) !== layerOf(to) && !allowed[layerOf(from)]!.includes(layerOf(to)),
      )
      .map(({ from, to }) => `${from} → ${to}`)

    expect(files).toBeGreaterThan(60)
    expect(local.length).toBeGreaterThan(200)
    expect(violations).toEqual([])
  })

  it('leave each reserved package to its layer', async () => {
    const { packages } = await importsOf()

    const violations = packages
      .filter(({ from, to }) => to in reserved && layerOf(from) !== reserved[to])
      .map(({ from, to }) => `${from} → ${to}`)

    expect(packages.filter(({ to }) => to === 'nats').length).toBeGreaterThan(5)
    expect(violations).toEqual([])
  })

  it('keep everything but XState out of the actors', async () => {
    const { packages } = await importsOf()

    const foreign = packages.filter(
      ({ from, to }) =>
        ['actors', 'actors/supervisors', 'actors/xstate'].includes(layerOf(from)) && to !== 'xstate',
    )

    expect(foreign).toEqual([])
  })
})
