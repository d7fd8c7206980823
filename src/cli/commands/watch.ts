import { isFinal } from '../../../actors/record.ts'
import { formatState } from '../../../actors/state.ts'
import type { Client } from '../../client/client.ts'
import type { InstanceHandle } from '../../client/instance-handle.ts'
import type { InstanceSnapshot } from '../../client/instance-snapshot.ts'
import { stringify } from '../../codec/json.ts'
import { formatAddress, parseAddress } from '../../workflow/address.ts'
import { defineCommand, type Call } from '../command.ts'
import { markOf, paintStatus, snapshotJson } from '../instance-view.ts'
import { requireWorkflow } from '../known-workflow.ts'
import { withClient } from '../open-client.ts'
import { noteUnserved } from '../served.ts'
import { pad, printable, shortenStart, widthOf } from '../text.ts'
import { writeLines, type Output } from '../terminal.ts'
import { formatTime } from '../time.ts'

/** Between a state and the event that led to it. */
const arrow = '←'

export const watch = defineCommand({
  name: 'watch',
  summary: 'follow instances live',
  description: [
    'Writes one line for what there is, then one for every change, with the event that caused it: of one instance ' +
      'until it ends, of all of a workflow, or of everything, until Ctrl-C. What passes within one turn is ' +
      'committed once and shows once, with the last event.',
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
  call: Call,
): Promise<AsyncIterable<InstanceSnapshot>> {
  const { signal } = call
  if (target === undefined) return client.watch({}, { signal })
  if (!target.includes('/')) {
    await requireWorkflow(client, target)
    return client.watch({ workflow: target }, { signal })
  }
  const { id, workflow } = parseAddress(target)
  const handle = client.instance(workflow, id)
  await noteWait(call, handle)
  return handle.watch({ signal })
}

/** Tells a person why nothing shows, when nothing will for a while. */
async function noteWait(call: Call, handle: InstanceHandle): Promise<void> {
  const { options, signal, terminal } = call
  if (options.json) return
  const snapshot = await handle.get({ signal })
  if (snapshot === undefined) {
    const name = printable(formatAddress(handle.address))
    writeLines(terminal.err, terminal.err.style.dim(`there is no ${name} yet; waiting for it`))
  }
  if (snapshot === undefined || !isFinal(snapshot.status)) {
    await noteUnserved(call, handle, 'nothing changes until one does')
  }
}

function line(
  name: string,
  { event, status, updatedAt, value }: InstanceSnapshot,
  { columns, style }: Output,
): string {
  const time = formatTime(updatedAt)
  const mark = markOf(status)
  const left = (columns ?? Infinity) - widthOf(`${time}  ${mark} ${name}    ${arrow} `)
  const state = printable(formatState(value))
  // Both keep their ends, which tell more. Where both are long, the state has most of the room.
  const cause = shortenStart(printable(event), Math.max(left - widthOf(state), Math.floor(left / 3), 8))
  const shown = shortenStart(state, Math.max(left - widthOf(cause), 8))
  const painted = [style.bold(name), paintStatus(shown, status, style), style.dim(`${arrow} ${cause}`)]
  return `${style.dim(time)}  ${paintStatus(mark, status, style)} ${painted.join('  ')}`
}
