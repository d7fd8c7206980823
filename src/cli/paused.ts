import type { Call } from './command.ts'
import type { ExistingInstance } from './existing-instance.ts'
import { writeLines } from './terminal.ts'
import { printable } from './text.ts'

/** Tells a person that an instance takes nothing for now. */
export function notePaused(
  { options, terminal: { err } }: Call,
  { name, snapshot }: Pick<ExistingInstance, 'name' | 'snapshot'>,
): void {
  if (options.json || snapshot.status !== 'paused') return
  writeLines(err, err.style.dim(`${printable(name)} is paused; the event waits until it is resumed`))
}
