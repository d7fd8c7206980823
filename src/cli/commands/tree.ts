import { supervisionDepths, type SupervisionDepth } from '../../../actors/supervision.ts'
import { stringify } from '../../codec/json.ts'
import { systemClock } from '../../clock.ts'
import { usage } from '../arguments.ts'
import { defineCommand } from '../command.ts'
import { requireWorkflow } from '../known-workflow.ts'
import { withClient } from '../open-client.ts'
import { writeLines } from '../terminal.ts'
import { treeLines } from '../tree-lines.ts'

export const tree = defineCommand({
  name: 'tree',
  summary: 'show what the nodes supervise: partitions, instances, activities',
  description: [
    'Nodes answer for what they have in memory; instances that rest are not there. A partition in which nothing goes on ' +
      'is left out, and of one with very many instances some are shown, those with activities first.',
  ],
  parameters: [],
  options: {
    depth: {
      type: 'string',
      value: 'depth',
      description: `how deep: ${supervisionDepths.join(', ')}; default activities`,
    },
    node: { type: 'string', value: 'name', description: 'only this node' },
    workflow: { type: 'string', value: 'name', description: 'only instances of this workflow' },
  },
  examples: [
    ['tree', 'everything'],
    ['tree --workflow order-fulfilment', 'orders in memory, and what they do'],
    ['tree --depth partitions --node dev', 'the partitions of one node'],
  ],
  async run(call) {
    const { options, signal, terminal } = call
    const { out } = terminal
    const depth = parseDepth(options.depth)
    const { node, workflow } = options
    const wanted = { depth, ...(node !== undefined && { node }), ...(workflow !== undefined && { workflow }) }
    const nodes = await withClient(call, async client => {
      if (workflow !== undefined) await requireWorkflow(client, workflow)
      return client.tree({ ...wanted, signal })
    })
    if (options.json) {
      writeLines(out, stringify(nodes))
    } else if (nodes.length === 0) {
      writeLines(out, 'no node is alive')
    } else {
      const { columns: width = Infinity, style } = out
      writeLines(out, ...treeLines(nodes, { depth, now: systemClock.now(), style, width }))
    }
  },
})

function parseDepth(depth: string | undefined): SupervisionDepth {
  if (depth === undefined) return 'activities'
  const found = supervisionDepths.find(one => one === depth)
  if (found === undefined)
    throw usage(`--depth must be one of ${supervisionDepths.join(', ')}; got '${depth}'`)
  return found
}
