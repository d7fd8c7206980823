import { stringify } from '../../codec/json.ts'
import { defineCommand } from '../command.ts'
import { runningInstance } from '../existing-instance.ts'
import { parseEvent } from '../json-argument.ts'
import { withClient } from '../open-client.ts'
import { notePaused, notePausedWorkflows } from '../paused.ts'
import { noteUnserved } from '../served.ts'
import { printable } from '../text.ts'
import { writeLines } from '../terminal.ts'

export const send = defineCommand({
  name: 'send',
  summary: 'send an event to an instance',
  description: [
    'When this has answered, the event is stored and will be applied exactly once. What became of it then, ' +
      'update waits for.',
  ],
  parameters: ['<workflow/id>', '<event>'],
  options: {
    data: {
      type: 'string',
      value: 'json',
      description: 'what the event has besides its type: a JSON object',
    },
  },
  examples: [
    ['send order-fulfilment/o-1 CUSTOMER_CANCELLED', 'an event that is only a type'],
    [`send order-fulfilment/o-1 SHIPPED --data '{"trackingNumber":"1Z999"}'`, 'one with data'],
    [`send order-fulfilment/o-1 '{"type":"SHIPPED","trackingNumber":"1Z999"}'`, 'the same, all in JSON'],
  ],
  async run(call) {
    const [target, text] = call.parameters as [string, string]
    const { options, signal, terminal } = call
    const event = parseEvent(text, options.data)
    await withClient(call, async client => {
      const { handle, name, snapshot } = await runningInstance(client, target, signal)
      notePaused(call, { name, snapshot })
      await notePausedWorkflows(call, client, [handle.address.workflow])
      await noteUnserved(call, handle, 'the event waits for one')
      await handle.send(event, { signal })
      const { out } = terminal
      if (options.json) writeLines(out, stringify({ address: name, ...handle.address, event }))
      else
        writeLines(
          out,
          `${out.style.green('sent')} ${printable(event.type)} to ${out.style.bold(printable(name))}`,
        )
    })
  },
})
