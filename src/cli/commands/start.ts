import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'

import { isRuntimeError } from '../../../actors/errors.ts'
import { formatState } from '../../../actors/state.ts'
import { createIds } from '../../client/ids.ts'
import type { InstanceHandle } from '../../client/instance-handle.ts'
import type { InstanceSnapshot } from '../../client/instance-snapshot.ts'
import { stringify } from '../../codec/json.ts'
import { formatAddress } from '../../workflow/address.ts'
import { usage } from '../arguments.ts'
import { defineCommand, type Call } from '../command.ts'
import { paintStatus, shellWord, snapshotJson } from '../instance-view.ts'
import { parseJson } from '../json-argument.ts'
import { withClient } from '../open-client.ts'
import { parseDurationOption } from '../option-values.ts'
import { notePausedWorkflows } from '../paused.ts'
import { isServed } from '../served.ts'
import { printable } from '../text.ts'
import { writeLines } from '../terminal.ts'

const options = {
  input: { type: 'string', value: 'json', description: 'what to start it with; - reads standard input' },
  'input-file': {
    type: 'string',
    value: 'file',
    description: 'the same, from a file; - reads standard input',
  },
  timeout: {
    type: 'string',
    value: 'time',
    description: 'how long a node may take to accept or refuse it; default 5s, 0: do not wait',
  },
} as const

export const start = defineCommand({
  name: 'start',
  summary: 'start an instance of a workflow',
  description: [
    'Without an id a random one is chosen. The same id with the same input is the same start, however often it is ' +
      'asked for; with another input it is refused.',
    'Waits until a node has accepted it, or says why it refuses. When no node runs, or the workflow is paused, the start is ' +
      'stored, which is success too: it begins when a node runs, and the workflow is resumed.',
  ],
  parameters: ['<workflow>', '[id]'],
  options,
  examples: [
    [
      'start pull-request octo/repo-7 --input \'{"repository":"octo/repo","number":7}\'',
      'under an id of yours',
    ],
    ['start order-fulfilment o-1 --input-file order.json', 'with an input from a file'],
    ['start order-fulfilment --json --input - < order.json', 'under a random id, answered as JSON'],
  ],
  async run(call) {
    const [workflow, id] = call.parameters as [string, string | undefined]
    const { signal } = call
    const timeoutMs = parseDurationOption('timeout', call.options.timeout ?? '5s')
    const input = await readStartInput(call)
    await withClient(call, async client => {
      const handle = client.instance(workflow, id ?? createIds()())
      const isPaused = (await client.pauseOf(workflow, { signal })) !== undefined
      const isTakenUp = timeoutMs === 0 || (await isServed(handle, signal))
      const isAwaited = timeoutMs > 0 && isTakenUp && !isPaused
      await client.start(workflow, {
        id: handle.address.id,
        input,
        signal,
        ...(isAwaited && { timeout: timeoutMs, until: 'accepted' }),
      })
      await notePausedWorkflows(call, client, [workflow])
      report(call, handle, await handle.get({ signal }), { isPaused, isTakenUp })
    })
  },
})

async function readStartInput(call: Call<typeof options>): Promise<unknown> {
  const { input, 'input-file': file } = call.options
  if (input !== undefined && file !== undefined) throw usage('give either --input or --input-file')
  if (input === '-' || file === '-') return parseJson(await call.readInput(), 'standard input')
  if (input !== undefined) return parseJson(input, '--input')
  if (file === undefined) return undefined
  try {
    return parseJson(await readFile(resolve(call.folder, file), 'utf8'), file)
  } catch (error) {
    if (isRuntimeError(error)) throw error
    throw usage(`--input-file cannot be read: ${(error as Error).message}`)
  }
}

function report(
  { config, options: { json }, terminal: { out } }: Call,
  { address }: InstanceHandle,
  snapshot: InstanceSnapshot | undefined,
  { isPaused, isTakenUp }: { readonly isPaused: boolean; readonly isTakenUp: boolean },
): void {
  const { style } = out
  const name = formatAddress(address)
  if (json) {
    const document =
      snapshot === undefined ? { address: name, ...address, status: 'stored' } : snapshotJson(snapshot)
    writeLines(out, stringify(document))
    return
  }
  const bold = style.bold(printable(name))
  if (snapshot !== undefined) {
    const state = paintStatus(printable(formatState(snapshot.value)), snapshot.status, style)
    writeLines(out, `${style.green('started')} ${bold}  ${state}`)
  } else {
    const when = isPaused
      ? ': it starts when its workflow is resumed'
      : isTakenUp
        ? ''
        : ': no node runs it now, and it starts when one does'
    writeLines(out, `${style.yellow('stored')} ${bold}${when}`)
  }
  writeLines(out, style.dim(`  follow it: ${config.program} watch ${shellWord(name)}`))
}
