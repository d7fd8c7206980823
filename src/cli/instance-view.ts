import type { InstanceStatus } from '../../actors/record.ts'
import type { InstanceSnapshot } from '../client/instance-snapshot.ts'
import type { InstanceSummary } from '../client/client.ts'
import { formatState } from '../../actors/state.ts'
import { formatAddress } from '../workflow/address.ts'
import type { Style } from './style.ts'

/** Colours a text by how an instance fares. */
export function paintStatus(text: string, status: InstanceStatus, style: Style): string {
  switch (status) {
    case 'running':
      return style.cyan(text)
    case 'paused':
    case 'cancelling':
      return style.yellow(text)
    case 'done':
      return style.green(text)
    case 'suspended':
    case 'failed':
      return style.red(text)
    case 'cancelled':
      return style.dim(text)
  }
}

/** One character for how an instance fares. */
export function markOf(status: InstanceStatus): string {
  return {
    running: '●',
    paused: '‖',
    suspended: '!',
    cancelling: '◌',
    done: '✔',
    failed: '✖',
    cancelled: '○',
  }[status]
}

/** An address as an argument of a shell: in quotes where a shell would read more into it. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** A row of a list, for programs. */
export function summaryJson(summary: InstanceSummary): object {
  const { address, dueAt, event, revision, state, status, updatedAt, version } = summary
  return {
    address: formatAddress(address),
    ...address,
    status,
    state,
    event,
    revision,
    version,
    updatedAt,
    dueAt,
  }
}

/** An instance, for programs. */
export function snapshotJson(snapshot: InstanceSnapshot): object {
  const { address, ...rest } = snapshot
  const {
    activities,
    cancelling,
    context,
    createdAt,
    error,
    event,
    output,
    revision,
    running,
    status,
    stopReason,
    incident,
    timers,
    updatedAt,
    value,
    version,
  } = rest
  return {
    address: formatAddress(address),
    ...address,
    status,
    cancelling,
    stopReason,
    incident,
    state: formatState(value),
    value,
    context,
    output,
    error,
    event,
    revision,
    version,
    createdAt,
    updatedAt,
    running,
    activities,
    timers,
  }
}
