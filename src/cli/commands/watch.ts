import { RuntimeError } from '../../../actors/errors.ts'
import { formatState } from '../../../actors/state.ts'
import type { Client } from '../../client/client.ts'
import type { InstanceSnapshot } from '../../client/instance-snapshot.ts'
import { stringify } from '../../codec/json.ts'
import { formatAddress, parseAddress } from '../../workflow/address.ts'
import { defineCommand, type Call } from '../command.ts'
import { paintStatus, snapshotJson } from '../instance-view.ts'
import { withClient } from '../open-client.ts'
import { pad, printable, shortenStart, widthOf } from '../text.ts'
import { writeLines, type Output } from '../terminal.ts'
import { formatTime } from '../time.ts'

export const watch = defineCommand({
  name: 'watch',
  summary: 'follow instances live',
  description: [
    'Writes one line for what there is, then one for every change: of one instance until it ends, of all of a ' +
      'workflow, or of everything, until Ctrl-C. What passes within one turn is committed once and shows once.',
  ],
  parameters: ['[workflow/id | workflow]'],
  options: {},
  examples: [
    ['watch', 'everything'],
    ['watch order-fulfilment', 'all instances of one workflow'],
    ['watch order-fulfilment/o-1 --json', 'one instance, one JSON document a line'],
  ],
  async run(call) {
    const [target] = call.parameters
    const { options, terminal } = call
    await withClient(call, async client => {
      let widest = 0
      for await (const snapshot of await watched(client, target, call)) {
        if (options.json) {
          writeLines(terminal.out, stringify(snapshotJson(snapshot)))
          continue
        }
        const name = printable(formatAddress(snapshot.address))
        // Names line up as far as is known by now.
        widest = Math.max(widest, widthOf(name))
        writeLines(terminal.out, line(pad(name, widest), snapshot, terminal.out))
      }
    })
  },
})

async function watched(
  client: Client,
  target: string | undefined,
  { options, signal, terminal }: Call,
): Promise<AsyncIterable<InstanceSnapshot>> {
  if (target === undefined) return client.watch({}, { signal })
  if (!target.includes('/')) {
    await requireWorkflow(client, target)
    return client.watch({ workflow: target }, { signal })
  }
  const { id, workflow } = parseAddress(target)
  const handle = client.instance(workflow, id)
  if (!options.json && (await handle.get({ signal })) === undefined) {
    writeLines(terminal.err, terminal.err.style.dim(`there is no ${printable(target)} yet; waiting for it`))
  }
  return handle.watch({ signal })
}

async function requireWorkflow(client: Client, name: string): Promise<void> {
  const known = (await client.workflows()).map(workflow => workflow.name)
  if (known.includes(name)) return
  throw new RuntimeError(
    'WORKFLOW_UNKNOWN',
    `there is no workflow '${name}'; known are ${known.join(', ')}. An instance is written workflow/id`,
    { fields: { known, workflow: name } },
  )
}

function line(
  name: string,
  { status, updatedAt, value }: InstanceSnapshot,
  { columns, style }: Output,
): string {
  const time = formatTime(updatedAt)
  const mark = { running: '●', done: '✔', failed: '✖' }[status]
  const state = printable(formatState(value))
  const left = (columns ?? Infinity) - widthOf(`${time}  ${mark} ${name}  `)
  const shown = shortenStart(state, Math.max(left, 8))
  return `${style.dim(time)}  ${paintStatus(mark, status, style)} ${style.bold(name)}  ${paintStatus(shown, status, style)}`
}
