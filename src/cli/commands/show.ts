import { inspect } from 'node:util'

import type { BulkRecord } from '../../../actors/bulk.ts'
import { waitEndsAt } from '../../../actors/permits.ts'
import type { PermitRecord } from '../../../actors/pool.ts'
import type { ActivityRecord, Timer } from '../../../actors/record.ts'
import type { InstanceSnapshot } from '../../client/instance-snapshot.ts'
import { stringify } from '../../codec/json.ts'
import { systemClock } from '../../clock.ts'
import { defineCommand } from '../command.ts'
import { existingInstance } from '../existing-instance.ts'
import { describeIncident } from '../incident-view.ts'
import { paintStatus, snapshotJson } from '../instance-view.ts'
import { withClient } from '../open-client.ts'
import { notePausedWorkflows } from '../paused.ts'
import { stateLines } from '../state-lines.ts'
import type { Style } from '../style.ts'
import { renderTable, type Column, type TableOptions } from '../table.ts'
import { pad, printable } from '../text.ts'
import { writeLines } from '../terminal.ts'
import { formatAge, formatDate, formatDue } from '../time.ts'

const indent = '  '
const usualWidth = 100

export const show = defineCommand({
  name: 'show',
  summary: 'show an instance: its state, context, activities and timers',
  description: ['It shows what was last committed; no node needs to run for it.'],
  parameters: ['<workflow/id>'],
  options: {},
  examples: [
    ["show 'pull-request/Codertocat/Hello-World#2'", 'for people'],
    ['show order-fulfilment/o-1 --json | jq .context', 'for programs'],
  ],
  async run(call) {
    const [target] = call.parameters as [string]
    const { options, signal, terminal } = call
    const { name, snapshot } = await withClient(call, async client => {
      const found = await existingInstance(client, target, signal)
      await notePausedWorkflows(call, client, [found.snapshot.address.workflow])
      return found
    })
    const { out } = terminal
    if (options.json) {
      writeLines(out, stringify(snapshotJson(snapshot)))
      return
    }
    const view = {
      style: out.style,
      width: (out.columns ?? usualWidth) - indent.length,
      now: systemClock.now(),
    }
    writeLines(out, ...describe(printable(name), snapshot, view))
  },
})

export interface View extends TableOptions {
  readonly now: number
  readonly width: number
}

function describe(name: string, snapshot: InstanceSnapshot, view: View): string[] {
  const { activities, context, error, incident, output, status, timers } = snapshot
  const { style } = view
  return [
    `${style.bold(name)}  ${paintStatus(status, status, style)}`,
    '',
    ...indented(facts(snapshot, view)),
    ...section('Suspended', incident === undefined ? [] : describeIncident(incident, view.now, style), style),
    ...section('Context', inspected(context, view), style),
    ...section('Output', status === 'done' && output !== undefined ? inspected(output, view) : [], style),
    ...section('Error', status === 'failed' ? inspected(error, view) : [], style),
    ...section('Activities', table(activities, activityColumns(view), view), style),
    ...section('Timers', table(timers, timerColumns(view), view), style),
  ]
}

function facts(
  { cancelling, createdAt, event, revision, status, stopReason, updatedAt, value, version }: InstanceSnapshot,
  { now, style }: View,
): string[] {
  const moment = (date: Date) => `${formatDate(date)}, ${formatAge(now - date.getTime())} ago`
  const rows: [string, readonly string[]][] = [
    ['State', stateLines(value).map(printable)],
    [status === 'paused' ? 'Paused' : 'Cancelled', stopReason === undefined ? [] : [printable(stopReason)]],
    ['Ends', cancelling === undefined ? [] : [endText(cancelling, now)]],
    ['Started', [moment(createdAt)]],
    ['Changed', [`${moment(updatedAt)}, by ${printable(event)}`]],
    ['Version', [`${version}, revision ${revision}`]],
  ]
  return rows.flatMap(([title, lines]) =>
    lines.map((line, index) => `${style.dim(pad(index === 0 ? title : '', 10))}${line}`),
  )
}

function endText({ deadline, reason }: NonNullable<InstanceSnapshot['cancelling']>, now: number): string {
  return `at the latest ${formatDue(deadline.getTime(), now)}${reason === '' ? '' : `: ${printable(reason)}`}`
}

export function section(title: string, lines: readonly string[], style: Style): string[] {
  return lines.length === 0 ? [] : ['', style.bold(title), ...indented(lines)]
}

export function indented(lines: readonly string[]): string[] {
  return lines.map(line => indent + line)
}

/** As Node shows values: strings come out quoted, so nothing in them reaches the terminal raw. */
export function inspected(value: unknown, { style, width }: View): string[] {
  return inspect(value, {
    breakLength: width,
    colors: style.enabled,
    depth: null,
    maxArrayLength: null,
    maxStringLength: null,
  }).split('\n')
}

function table<TRow>(rows: readonly TRow[], columns: readonly Column<TRow>[], view: View): string[] {
  return rows.length === 0 ? [] : renderTable(rows, columns, view)
}

function activityColumns({ now, style }: View): Column<ActivityRecord>[] {
  return [
    { title: 'ACTIVITY', text: ({ src }) => src, cut: 'end' },
    { title: 'ACTOR', text: ({ path }) => path, cut: 'end', paint: text => style.dim(text) },
    { title: 'ATTEMPT', align: 'right', text: ({ attempt }) => String(attempt) },
    { title: 'ASKED FOR', text: ({ startedAt }) => `${formatAge(now - startedAt)} ago` },
    {
      title: 'NOW',
      text: activity => {
        const { bulk, permit, retryAt } = activity
        if (bulk !== undefined) return progressText(bulk)
        if (permit !== undefined) return permitText(permit, waitEndsAt(activity), now)
        return retryAt === undefined ? 'running' : `next attempt ${formatDue(retryAt, now)}`
      },
    },
    {
      title: 'LAST ERROR',
      cut: 'end',
      text: ({ lastError }) => (lastError === undefined ? '' : errorText(lastError)),
      paint: text => style.red(text),
    },
  ]
}

function timerColumns({ now, style }: View): Column<Timer>[] {
  return [
    { title: 'EVENT', text: ({ event }) => event.type, cut: 'end' },
    { title: 'DUE', text: ({ dueAt }) => formatDue(dueAt, now), paint: text => style.cyan(text) },
    { title: 'AT', text: ({ dueAt }) => formatDate(new Date(dueAt)), paint: text => style.dim(text) },
  ]
}

function progressText({ completed, failed, running, total }: BulkRecord): string {
  const failures = failed === 0 ? '' : `, ${failed} failed`
  return `${completed} of ${total} done${failures}, ${running.length} running`
}

function permitText({ claim, isHeld, pool }: PermitRecord, endsAt: number | undefined, now: number): string {
  if (isHeld) return claim === undefined ? `holds permits of pool ${pool}` : `running, by pool ${pool}`
  const limit = endsAt === undefined ? '' : `, at the latest ${formatDue(endsAt, now)}`
  return `waits for pool ${pool}${limit}`
}

function errorText(error: unknown): string {
  return error instanceof Error
    ? `${error.name}: ${error.message}`
    : inspect(error, { breakLength: Infinity })
}
