import { stringify } from '../../codec/json.ts'
import { defineCommand } from '../command.ts'
import { runningInstance } from '../existing-instance.ts'
import { withClient } from '../open-client.ts'
import { parseDurationOption } from '../option-values.ts'
import { noteUnserved } from '../served.ts'
import { printable } from '../text.ts'
import { writeLines } from '../terminal.ts'

export const resume = defineCommand({
  name: 'resume',
  summary: 'let a paused instance go on',
  description: [
    'What has waited is applied in order, timers that are overdue fire once, and activities that were aborted run ' +
      'again. To resume a running one changes nothing.',
  ],
  parameters: ['<workflow/id>'],
  options: {
    timeout: { type: 'string', value: 'time', description: 'how long to wait for a node; default 10s' },
  },
  examples: [['resume order-fulfilment/o-1', 'and it goes on where it was']],
  async run(call) {
    const [target] = call.parameters as [string]
    const { options, signal, terminal } = call
    const timeout = parseDurationOption('timeout', options.timeout ?? '10s')
    await withClient(call, async client => {
      const { handle, name } = await runningInstance(client, target, signal)
      await noteUnserved(call, handle, 'waiting for one')
      await handle.resume({ signal, timeout })
      const { out } = terminal
      if (options.json) writeLines(out, stringify({ address: name, ...handle.address, status: 'running' }))
      else writeLines(out, `${out.style.cyan('resumed')} ${out.style.bold(printable(name))}`)
    })
  },
})
