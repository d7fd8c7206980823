import { isFinal } from '../../../actors/record.ts'
import { stringify } from '../../codec/json.ts'
import { defineCommand } from '../command.ts'
import { existingInstance } from '../existing-instance.ts'
import { withClient } from '../open-client.ts'
import { parseDurationOption } from '../option-values.ts'
import { noteUnserved } from '../served.ts'
import { writeLines } from '../terminal.ts'

export const result = defineCommand({
  name: 'result',
  summary: 'wait for the end of an instance and write its output',
  description: [
    'The output is JSON with and without --json. An instance that failed makes the command fail.',
  ],
  parameters: ['<workflow/id>'],
  options: {
    timeout: { type: 'string', value: 'time', description: 'how long to wait; default as long as it takes' },
  },
  examples: [
    ['result order-fulfilment/o-1', 'wait as long as it takes'],
    ['result order-fulfilment/o-1 --timeout 30s', 'fail with exit code 7 when it takes longer'],
  ],
  async run(call) {
    const [target] = call.parameters as [string]
    const { options, signal, terminal } = call
    const timeout =
      options.timeout === undefined ? undefined : parseDurationOption('timeout', options.timeout)
    await withClient(call, async client => {
      const { handle, snapshot } = await existingInstance(client, target, signal)
      if (!isFinal(snapshot.status)) await noteUnserved(call, handle, 'waiting for one')
      const output = await handle.result({ signal, ...(timeout !== undefined && { timeout }) })
      writeLines(terminal.out, stringify(output, options.json ? undefined : 2))
    })
  },
})
