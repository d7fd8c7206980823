import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'

import { isRuntimeError, RuntimeError } from '../../../actors/errors.ts'
import { formatState } from '../../../actors/state.ts'
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
    description: 'how long to wait until a node has taken it up; default 5s, 0: not at all',
  },
} as const

export const start = defineCommand({
  name: 'start',
  summary: 'start an instance of a workflow',
  description: [
    'Without an id a random one is chosen. The same id with the same input is the same start, however often it is ' +
      'asked for; with another input it is refused.',
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
      const handle = await client.start(workflow, { input, signal, ...(id !== undefined && { id }) })
      const first = timeoutMs === 0 ? undefined : await taken(handle, timeoutMs, signal)
      report(call, handle, first)
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

async function taken(
  handle: InstanceHandle,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<InstanceSnapshot> {
  try {
    return await handle.waitFor(() => true, { signal, timeout: timeoutMs })
  } catch (error) {
    if (!isRuntimeError(error, 'TIMEOUT')) throw error
    throw new RuntimeError(
      'TIMEOUT',
      `no node has taken up ${formatAddress(handle.address)} within ${timeoutMs} ms: either none runs, and it ` +
        'starts when one does, or it refused the input, and its log says why',
      { cause: error, fields: { ...handle.address, timeoutMs } },
    )
  }
}

function report(
  { config, options: { json }, terminal: { out } }: Call,
  { address }: InstanceHandle,
  first: InstanceSnapshot | undefined,
): void {
  const { style } = out
  const name = formatAddress(address)
  if (json) {
    writeLines(out, stringify(first === undefined ? { address: name, ...address } : snapshotJson(first)))
    return
  }
  const state =
    first === undefined ? '' : `  ${paintStatus(printable(formatState(first.value)), first.status, style)}`
  writeLines(
    out,
    `${style.green('started')} ${style.bold(printable(name))}${state}`,
    style.dim(`  follow it: ${config.program} watch ${shellWord(name)}`),
  )
}
