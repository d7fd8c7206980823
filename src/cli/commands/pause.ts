import { stringify } from '../../codec/json.ts'
import { defineCommand } from '../command.ts'
import { runningInstance } from '../existing-instance.ts'
import { withClient } from '../open-client.ts'
import { parseDurationOption } from '../option-values.ts'
import { noteUnserved } from '../served.ts'
import { printable } from '../text.ts'
import { writeLines } from '../terminal.ts'

export const pause = defineCommand({
  name: 'pause',
  summary: 'stop an instance until it is resumed',
  description: [
    'What the instance is sent is accepted, and waits. Its timers do not fire; its running activities are aborted. ' +
      'To pause a paused one changes nothing.',
  ],
  parameters: ['<workflow/id>'],
  options: {
    reason: { type: 'string', value: 'text', description: 'why, for people' },
    timeout: { type: 'string', value: 'time', description: 'how long to wait for a node; default 10s' },
  },
  examples: [[`pause order-fulfilment/o-1 --reason 'the bank is closed'`, 'until it is resumed']],
  async run(call) {
    const [target] = call.parameters as [string]
    const { options, signal, terminal } = call
    const { reason } = options
    const timeout = parseDurationOption('timeout', options.timeout ?? '10s')
    await withClient(call, async client => {
      const { handle, name } = await runningInstance(client, target, signal)
      await noteUnserved(call, handle, 'waiting for one')
      await handle.pause({ signal, timeout, ...(reason !== undefined && { reason }) })
      const { out } = terminal
      if (options.json)
        writeLines(out, stringify({ address: name, ...handle.address, status: 'paused', reason }))
      else writeLines(out, `${out.style.yellow('paused')} ${out.style.bold(printable(name))}`)
    })
  },
})
