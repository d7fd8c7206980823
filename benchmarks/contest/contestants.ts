import { join } from 'node:path'

/** Of the compiled benchmarks. */
const ours = join(import.meta.dirname, '..', 'contestants')
/** Of the peers, which are compiled beside what they need. */
const theirs = join(import.meta.dirname, '..', '..', '..', 'benchmarks', 'peers', '.build', 'peers')

/** The programs of all contestants, in the order of the tables. */
export const contestants: Readonly<Record<string, string>> = {
  probe: join(ours, 'probe.js'),
  xstate: join(ours, 'xstate.js'),
  holdfast: join(ours, 'holdfast.js'),
  restate: join(theirs, 'restate.js'),
  'restate-xstate': join(theirs, 'restate-xstate.js'),
  dbos: join(theirs, 'dbos.js'),
  bullmq: join(theirs, 'bullmq.js'),
}
