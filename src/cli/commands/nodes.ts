import type { NodeSummary } from '../../client/supervision.ts'
import { stringify } from '../../codec/json.ts'
import { systemClock } from '../../clock.ts'
import { defineCommand } from '../command.ts'
import { withClient } from '../open-client.ts'
import type { Style } from '../style.ts'
import { renderTable, type Column } from '../table.ts'
import { writeLines } from '../terminal.ts'
import { formatAge } from '../time.ts'

export const nodes = defineCommand({
  name: 'nodes',
  summary: 'list the nodes that are alive',
  description: ['Each node answers for itself. One that was killed is listed until its lease has expired.'],
  parameters: [],
  options: {},
  examples: [
    ['nodes', 'for people'],
    ["nodes --json | jq -r '.[].name'", 'for programs'],
  ],
  async run(call) {
    const { options, signal, terminal } = call
    const { out } = terminal
    const all = await withClient(call, client => client.nodes({ signal }))
    if (options.json) {
      writeLines(out, stringify(all))
    } else if (all.length === 0) {
      writeLines(out, 'no node is alive')
    } else {
      const { columns: width, style } = out
      writeLines(out, ...renderTable(all, columnsOf(style, systemClock.now()), { style, width }))
    }
  },
})

function columnsOf(style: Style, now: number): Column<NodeSummary>[] {
  return [
    { title: 'NODE', text: ({ name }) => name, paint: text => style.bold(text) },
    {
      title: 'STATUS',
      text: ({ isAnswering }) => (isAnswering ? 'answers' : 'silent'),
      paint: (text, { isAnswering }) => (isAnswering ? style.cyan(text) : style.red(text)),
    },
    column('PARTITIONS', ({ partitions: { avoided, serving, total } }) =>
      avoided.length === 0
        ? `${serving.length} of ${total}`
        : `${serving.length} of ${total}, avoids ${avoided.length}`,
    ),
    column('INSTANCES', ({ resident }) => String(resident)),
    column('ACTIVITIES', ({ activities: { running, waiting } }) =>
      waiting === 0 ? String(running) : `${running}, ${waiting} waiting`,
    ),
    column('UP', ({ startedAt }) => formatAge(now - startedAt)),
    column('VERSION', ({ version }) => version),
  ]
}

/** Of a node that is silent nothing is known. */
function column(
  title: string,
  textOf: (node: Extract<NodeSummary, { isAnswering: true }>) => string,
): Column<NodeSummary> {
  return { title, align: 'right', text: node => (node.isAnswering ? textOf(node) : '') }
}
