import { inspect } from 'node:util'

import { RuntimeError } from '../../../actors/errors.ts'
import { formatState } from '../../../actors/state.ts'
import { stringify } from '../../codec/json.ts'
import { defineCommand } from '../command.ts'
import { runningInstance } from '../existing-instance.ts'
import { parseEvent } from '../json-argument.ts'
import { withClient } from '../open-client.ts'
import { parseDurationOption } from '../option-values.ts'
import { notePaused, notePausedWorkflows } from '../paused.ts'
import { noteUnserved } from '../served.ts'
import { printable } from '../text.ts'
import { writeLines } from '../terminal.ts'

export const update = defineCommand({
  name: 'update',
  summary: 'send an event and wait for what becomes of it',
  description: [
    'Answers accepted when the instance changed, ignored when it had no transition for the event, and fails when ' +
      'the event was refused.',
  ],
  parameters: ['<workflow/id>', '<event>'],
  options: {
    data: {
      type: 'string',
      value: 'json',
      description: 'what the event has besides its type: a JSON object',
    },
    timeout: { type: 'string', value: 'time', description: 'how long to wait for the outcome; default 10s' },
  },
  examples: [
    [
      `update order-fulfilment/o-1 SHIPPED --data '{"trackingNumber":"1Z999"}'`,
      'and see the state it led to',
    ],
    [
      'update order-fulfilment/o-1 CUSTOMER_CANCELLED --timeout 1m --json',
      'the outcome with the context, as JSON',
    ],
  ],
  async run(call) {
    const [target, text] = call.parameters as [string, string]
    const { options, signal, terminal } = call
    const timeout = parseDurationOption('timeout', options.timeout ?? '10s')
    const event = parseEvent(text, options.data)
    await withClient(call, async client => {
      const { handle, name, snapshot: before } = await runningInstance(client, target, signal)
      notePaused(call, { name, snapshot: before })
      await notePausedWorkflows(call, client, [handle.address.workflow])
      await noteUnserved(call, handle, 'waiting for one')
      const outcome = await handle.update(event, { signal, timeout })
      if (outcome.type === 'rejected') {
        throw new RuntimeError(outcome.code, outcome.message, {
          fields: { ...handle.address, event: event.type, ...outcome.fields },
        })
      }
      const { revision, snapshot, type } = outcome
      const { context, error, output, value } = snapshot
      const state = formatState(value)
      const { out } = terminal
      const { style } = out
      if (options.json) {
        const facts = { address: name, ...handle.address, outcome: type, revision, state }
        writeLines(out, stringify({ ...facts, value, context, output, error }))
      } else if (type === 'ignored') {
        const reason = `has no transition for ${printable(event.type)} in ${style.cyan(printable(state))}`
        writeLines(out, `${style.yellow('ignored')} ${style.bold(printable(name))} ${reason}`)
      } else if (type === 'suspended') {
        const reason = 'its machine threw, and the event is kept: incidents show says why'
        writeLines(out, `${style.red('suspended')} ${style.bold(printable(name))}: ${reason}`)
      } else if (type === 'repeated') {
        const reason = 'it had come before, and what became of it is not known any more'
        writeLines(out, `${style.yellow('repeated')} ${style.bold(printable(name))}: ${reason}`)
      } else if (error === undefined) {
        writeLines(
          out,
          `${style.green('accepted')} ${style.bold(printable(name))} is now ${style.cyan(printable(state))}`,
        )
      } else {
        const reason = error instanceof Error ? `${error.name}: ${error.message}` : inspect(error)
        writeLines(
          out,
          `${style.red('accepted')} ${style.bold(printable(name))} failed: ${printable(reason)}`,
        )
      }
    })
  },
})
