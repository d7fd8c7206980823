import type { InstanceStatus } from '../../actors/record.ts'
import type { Call } from './command.ts'
import type { ExistingInstance } from './existing-instance.ts'
import { writeLines } from './terminal.ts'
import { printable } from './text.ts'

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
