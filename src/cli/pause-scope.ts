import { stringify } from '../codec/json.ts'
import { usage } from './arguments.ts'
import type { Call, OptionSpecs } from './command.ts'
import { writeLines } from './terminal.ts'
import { printable } from './text.ts'

/** What pauses or resumes more than one instance. */
export const scopeOptions = {
  all: { type: 'boolean', description: 'every workflow of the namespace' },
  workflow: { type: 'string', value: 'name', description: 'all instances of this workflow' },
} as const satisfies OptionSpecs

/** A workflow, or all of them. */
export interface Scope {
  readonly workflow: string | undefined
}

type ScopeCall = Call<typeof scopeOptions>

/**
 * The address of an instance, or what is wanted instead.
 *
 * @throws RuntimeError `USAGE` unless exactly one is given
 */
export function targetOf({ options: { all, workflow }, parameters: [address] }: ScopeCall): string | Scope {
  const given = [address, workflow, all || undefined].filter(one => one !== undefined)
  if (given.length !== 1) throw usage('give either <workflow/id>, --workflow <name> or --all')
  return address ?? { workflow }
}

/** Says that it is done. */
export function writeScope(
  { options, terminal: { out } }: ScopeCall,
  { workflow }: Scope,
  done: 'paused' | 'resumed',
  reason: string | undefined,
): void {
  if (options.json) {
    writeLines(
      out,
      stringify({ scope: workflow === undefined ? 'namespace' : 'workflow', workflow, done, reason }),
    )
    return
  }
  const what = workflow === undefined ? 'all workflows' : `all of ${out.style.bold(printable(workflow))}`
  writeLines(out, `${done === 'paused' ? out.style.yellow(done) : out.style.cyan(done)} ${what}`)
}
