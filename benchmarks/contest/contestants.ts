import { join } from 'node:path'

/** The program of a contestant. */
export interface Program {
  readonly args?: readonly string[]
  /** Compiled. */
  readonly script: string
}

/** How large a Holdfast is. */
export interface Scale {
  readonly nodes: number
  /** As many replicas. */
  readonly servers: 1 | 3
}

/** Of the compiled benchmarks. */
const ours = join(import.meta.dirname, '..', 'contestants')
/** Of the peers, which are compiled beside what they need. */
const theirs = join(import.meta.dirname, '..', '..', '..', 'benchmarks', 'peers', '.build', 'peers')

/** Holdfast again, larger: measured only when it is asked for (W8). */
export const scales: Readonly<Record<string, Scale>> = {
  'holdfast-2': { nodes: 2, servers: 1 },
  'holdfast-3': { nodes: 3, servers: 1 },
  'holdfast-4': { nodes: 4, servers: 1 },
  'holdfast-r3': { nodes: 1, servers: 3 },
}

/** All contestants, in the order of the tables. */
export const contestants: Readonly<Record<string, Program>> = {
  probe: { script: join(ours, 'probe.js') },
  xstate: { script: join(ours, 'xstate.js') },
  holdfast: holdfast({ nodes: 1, servers: 1 }),
  ...Object.fromEntries(Object.entries(scales).map(([name, scale]) => [name, holdfast(scale)])),
  restate: { script: join(theirs, 'restate.js') },
  'restate-xstate': { script: join(theirs, 'restate-xstate.js') },
  dbos: { script: join(theirs, 'dbos.js') },
  bullmq: { script: join(theirs, 'bullmq.js') },
}

export function isScaled(contestant: string): boolean {
  return Object.hasOwn(scales, contestant)
}

function holdfast(scale: Scale): Program {
  return { args: [JSON.stringify(scale)], script: join(ours, 'holdfast.js') }
}
