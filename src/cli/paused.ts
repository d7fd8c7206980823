import type { InstanceStatus } from '../../actors/record.ts'
import type { Client } from '../client/client.ts'
import { systemClock } from '../clock.ts'
import type { Call } from './command.ts'
import type { ExistingInstance } from './existing-instance.ts'
import { writeLines } from './terminal.ts'
import { printable } from './text.ts'
import { formatAge } from './time.ts'

/** Tells a person which workflows are paused, of those that were asked about. */
export async function notePausedWorkflows(
  { options, signal, terminal: { err } }: Call,
  client: Client,
  workflows: Iterable<string>,
): Promise<void> {
  if (options.json) return
  for (const workflow of workflows) {
    const pause = await client.pauseOf(workflow, { signal })
    if (pause === undefined) continue
    const what = pause.scope === 'namespace' ? 'the whole namespace' : `all of ${printable(workflow)}`
    const why = pause.reason === undefined ? '' : `: ${printable(pause.reason)}`
    const age = formatAge(systemClock.now() - pause.at.getTime())
    writeLines(err, err.style.yellow(`${what} is paused, for ${age}${why}`))
    if (pause.scope === 'namespace') return
  }
}

/** What ends the waiting, by the status that makes it. */
const waits: Partial<Record<InstanceStatus, string>> = {
  paused: 'it is resumed',
  suspended: 'its incident is dealt with',
}

/** Tells a person that an instance takes nothing for now. */
export function notePaused(
  { options, terminal: { err } }: Call,
  { name, snapshot }: Pick<ExistingInstance, 'name' | 'snapshot'>,
): void {
  const until = waits[snapshot.status]
  if (options.json || until === undefined) return
  writeLines(err, err.style.dim(`${printable(name)} is ${snapshot.status}; the event waits until ${until}`))
}
