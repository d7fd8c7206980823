import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

import { isRuntimeError } from '../../../actors/errors.ts'
import type { Workflow } from '../../workflow/define-workflow.ts'
import { isMachine } from '../../workflow/machine-problems.ts'
import { usage } from '../arguments.ts'

/**
 * The workflows that modules export, under whatever names.
 *
 * @param folder what relative paths start from
 * @throws RuntimeError `USAGE` when a module cannot be loaded or exports none; `WORKFLOW_INVALID` when it defines an
 * invalid one
 */
export async function loadWorkflows(folder: string, files: readonly string[]): Promise<readonly Workflow[]> {
  const workflows: Workflow[] = []
  for (const file of files) workflows.push(...(await loadModule(folder, file)))
  return workflows
}

async function loadModule(folder: string, file: string): Promise<readonly Workflow[]> {
  let exported: Readonly<Record<string, unknown>>
  try {
    exported = (await import(pathToFileURL(resolve(folder, file)).href)) as Record<string, unknown>
  } catch (error) {
    if (isRuntimeError(error)) throw error
    throw usage(`--workflows ${file} cannot be loaded: ${reasonOf(error, file)}`)
  }
  const found = new Set(Object.values(exported).filter(isWorkflow))
  if (found.size === 0)
    throw usage(`--workflows ${file} exports no workflow: export what defineWorkflow() returns`)
  return [...found]
}

function isWorkflow(value: unknown): value is Workflow {
  const { machine, name, version } = (value ?? {}) as Partial<Workflow>
  return typeof name === 'string' && typeof version === 'number' && isMachine(machine)
}

function reasonOf(error: unknown, file: string): string {
  const message = error instanceof Error ? error.message : String(error)
  const isTypeScript =
    (error as NodeJS.ErrnoException).code === 'ERR_UNKNOWN_FILE_EXTENSION' && file.endsWith('.ts')
  return isTypeScript ? 'compile it to JavaScript first' : message
}
