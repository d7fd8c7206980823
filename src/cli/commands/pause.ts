import { stringify } from '../../codec/json.ts'
import { defineCommand } from '../command.ts'
import { runningInstance } from '../existing-instance.ts'
import { scopeOptions, targetOf, writeScope } from '../pause-scope.ts'
import { withClient } from '../open-client.ts'
import { parseDurationOption } from '../option-values.ts'
import { noteUnserved } from '../served.ts'
import { printable } from '../text.ts'
import { writeLines } from '../terminal.ts'

export const pause = defineCommand({
  name: 'pause',
  summary: 'stop an instance, a workflow or all of them until resumed',
  description: [
    'What the instance is sent is accepted, and waits. Its timers do not fire; its running activities are aborted. ' +
      'To pause a paused one changes nothing.',
    'A workflow is paused with all its instances, those started later too, by one write; the nodes follow within ' +
      'milliseconds. To pause it again gives it the new reason.',
  ],
  parameters: ['[workflow/id]'],
  options: {
    ...scopeOptions,
    reason: { type: 'string', value: 'text', description: 'why, for people' },
    timeout: { type: 'string', value: 'time', description: 'how long to wait for a node; default 10s' },
  },
  examples: [
    [`pause order-fulfilment/o-1 --reason 'the bank is closed'`, 'until it is resumed'],
    ['pause --workflow order-fulfilment', 'all orders'],
    ['pause --all', 'everything in the namespace'],
  ],
  async run(call) {
    const target = targetOf(call)
    const { options, signal, terminal } = call
    const { reason } = options
    const why = reason !== undefined && { reason }
    if (typeof target === 'object') {
      await withClient(call, async client => {
        if (target.workflow === undefined) await client.pauseAll({ signal, ...why })
        else await client.pauseWorkflow(target.workflow, { signal, ...why })
      })
      writeScope(call, target, 'paused', reason)
      return
    }
    const timeout = parseDurationOption('timeout', options.timeout ?? '10s')
    await withClient(call, async client => {
      const { handle, name } = await runningInstance(client, target, signal)
      await noteUnserved(call, handle, 'waiting for one')
      await handle.pause({ signal, timeout, ...why })
      const { out } = terminal
      if (options.json)
        writeLines(out, stringify({ address: name, ...handle.address, status: 'paused', reason }))
      else writeLines(out, `${out.style.yellow('paused')} ${out.style.bold(printable(name))}`)
    })
  },
})
