import { instanceStatuses, type InstanceStatus } from '../../../actors/record.ts'
import type { InstanceSummary } from '../../client/client.ts'
import { stringify } from '../../codec/json.ts'
import { systemClock } from '../../clock.ts'
import { formatAddress } from '../../workflow/address.ts'
import { usage } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { paintStatus, summaryJson } from '../instance-view.ts'
import { requireWorkflow } from '../known-workflow.ts'
import { withClient } from '../open-client.ts'
import { parseWholeOption } from '../option-values.ts'
import { notePausedWorkflows } from '../paused.ts'
import type { Style } from '../style.ts'
import { nearest } from '../suggest.ts'
import { renderTable, type Column } from '../table.ts'
import { writeLines } from '../terminal.ts'
import { formatAge } from '../time.ts'

const statuses: readonly string[] = instanceStatuses
const terminalLimit = 50

export const list = defineCommand({
  name: 'list',
  summary: 'list instances, the last changed first',
  parameters: [],
  options: {
    limit: {
      type: 'string',
      value: 'n',
      description: `at most so many, 0: all; default ${terminalLimit} in a terminal, else all`,
    },
    status: { type: 'string', value: 'status', description: `only those that are ${statuses.join(', ')}` },
    workflow: { type: 'string', value: 'name', description: 'only those of this workflow' },
  },
  examples: [
    ['list', 'what changed last'],
    ['list --workflow order-fulfilment --status running', 'orders under way'],
    ["list --json | jq -r '.[].address'", 'for programs'],
  ],
  async run(call) {
    const { options, signal, terminal } = call
    const { out } = terminal
    const { workflow } = options
    const status = parseStatus(options.status)
    const usual = out.isTerminal && !options.json ? terminalLimit : 0
    const limit = options.limit === undefined ? usual : parseWholeOption('limit', options.limit, 0, 1_000_000)
    const all = await withClient(call, async client => {
      const rows: InstanceSummary[] = []
      const filter = { ...(status !== undefined && { status }), ...(workflow !== undefined && { workflow }) }
      for await (const row of client.list(filter, { signal })) rows.push(row)
      // What has no instances may be a typing error.
      if (rows.length === 0 && workflow !== undefined) await requireWorkflow(client, workflow)
      await notePausedWorkflows(call, client, new Set(rows.map(({ address }) => address.workflow)))
      return rows.toSorted(byChange)
    })
    const shown = all.slice(0, limit === 0 ? undefined : limit)
    if (options.json) {
      writeLines(out, stringify(shown.map(summaryJson)))
      return
    }
    if (all.length === 0) {
      writeLines(
        out,
        status === undefined && workflow === undefined ? 'no instances yet' : 'no such instances',
      )
      return
    }
    const { style, columns: width } = out
    writeLines(out, ...renderTable(shown, columnsOf(style, systemClock.now()), { style, width }))
    if (shown.length < all.length) {
      writeLines(out, style.dim(`… and ${all.length - shown.length} more; --limit 0 shows all`))
    }
  },
})

function parseStatus(status: string | undefined): InstanceStatus | undefined {
  if (status === undefined || statuses.includes(status)) return status as InstanceStatus | undefined
  const meant = nearest(status, statuses)
  const suggestion = meant === undefined ? '' : `; did you mean ${meant}?`
  throw usage(`--status must be one of ${statuses.join(', ')}; got '${status}'${suggestion}`)
}

/** By address where two changed in the same millisecond, so that the order is always the same. */
function byChange(a: InstanceSummary, b: InstanceSummary): number {
  const later = b.updatedAt.getTime() - a.updatedAt.getTime()
  return later || (formatAddress(a.address) < formatAddress(b.address) ? -1 : 1)
}

function columnsOf(style: Style, now: number): Column<InstanceSummary>[] {
  return [
    { title: 'INSTANCE', text: ({ address }) => formatAddress(address), paint: text => style.bold(text) },
    {
      title: 'STATUS',
      text: ({ status }) => status,
      paint: (text, { status }) => paintStatus(text, status, style),
    },
    { title: 'STATE', cut: 'start', text: ({ state }) => state },
    {
      title: 'LAST EVENT',
      cut: 'start',
      isOptional: true,
      text: ({ event }) => event,
      paint: text => style.dim(text),
    },
    { title: 'AGE', align: 'right', text: ({ updatedAt }) => formatAge(now - updatedAt.getTime()) },
  ]
}
