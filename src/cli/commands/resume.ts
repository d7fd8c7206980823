import { stringify } from '../../codec/json.ts'
import { defineCommand } from '../command.ts'
import { runningInstance } from '../existing-instance.ts'
import { scopeOptions, targetOf, writeScope } from '../pause-scope.ts'
import { withClient } from '../open-client.ts'
import { parseDurationOption } from '../option-values.ts'
import { noteUnserved } from '../served.ts'
import { printable } from '../text.ts'
import { writeLines } from '../terminal.ts'

export const resume = defineCommand({
  name: 'resume',
  summary: 'let a paused instance, workflow or all of them go on',
  description: [
    'What has waited is applied in order, timers that are overdue fire once, and activities that were aborted run ' +
      'again. To resume a running one changes nothing.',
    'What was paused by itself is resumed by itself: --all takes back what --all has paused, no more.',
  ],
  parameters: ['[workflow/id]'],
  options: {
    ...scopeOptions,
    timeout: { type: 'string', value: 'time', description: 'how long to wait for a node; default 10s' },
  },
  examples: [
    ['resume order-fulfilment/o-1', 'and it goes on where it was'],
    ['resume --workflow order-fulfilment', 'all orders, save those that are paused by themselves'],
  ],
  async run(call) {
    const target = targetOf(call)
    const { options, signal, terminal } = call
    if (typeof target === 'object') {
      await withClient(call, async client => {
        if (target.workflow === undefined) await client.resumeAll({ signal })
        else await client.resumeWorkflow(target.workflow, { signal })
      })
      writeScope(call, target, 'resumed', undefined)
      return
    }
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
