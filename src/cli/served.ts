import { isRuntimeError } from '../../actors/errors.ts'
import type { InstanceHandle } from '../client/instance-handle.ts'
import { formatAddress } from '../workflow/address.ts'
import type { Call } from './command.ts'
import { writeLines } from './terminal.ts'
import { printable } from './text.ts'

/** Whether a node runs the instance. Taken to be so by a user who may not read leases. */
export async function isServed(handle: InstanceHandle, signal: AbortSignal): Promise<boolean> {
  try {
    return await handle.isServed({ signal })
  } catch (error) {
    if (isRuntimeError(error, 'PERMISSION_DENIED')) return true
    throw error
  }
}

/** Tells a person that no node runs the instance, and what follows from it. */
export async function noteUnserved(
  { options, signal, terminal: { err } }: Call,
  handle: InstanceHandle,
  consequence: string,
): Promise<void> {
  if (options.json || (await isServed(handle, signal))) return
  const name = printable(formatAddress(handle.address))
  writeLines(err, err.style.dim(`no node runs ${name} now; ${consequence}`))
}
