import { defaultGraceMs } from '../../../actors/cancellation.ts'
import type { CancelAllOptions, CancelProgress } from '../../client/cancel-all.ts'
import type { CancelOptions } from '../../client/cancel.ts'
import { stringify } from '../../codec/json.ts'
import { usage } from '../arguments.ts'
import { defineCommand, type Call } from '../command.ts'
import { runningInstance } from '../existing-instance.ts'
import { paintStatus } from '../instance-view.ts'
import { requireWorkflow } from '../known-workflow.ts'
import { withClient } from '../open-client.ts'
import { parseDurationOption } from '../option-values.ts'
import { noteUnserved } from '../served.ts'
import { printable } from '../text.ts'
import { writeLines } from '../terminal.ts'

type Manner = Pick<CancelOptions, 'force' | 'grace' | 'reason' | 'timeout'> & Pick<Call, 'signal'>

export const cancel = defineCommand({
  name: 'cancel',
  summary: 'end an instance that is no longer wanted, or many',
  description: [
    'A workflow that handles workflow.cancel comes to an end by itself, within its grace; of any other everything stops ' +
      'at once, as with --force. Child workflows are cancelled with it.',
  ],
  parameters: ['[workflow/id]'],
  options: {
    all: { type: 'boolean', description: 'those of every workflow that have not ended; needs --yes' },
    force: { type: 'boolean', description: 'stop everything at once' },
    grace: {
      type: 'string',
      value: 'time',
      description: `how long it may take to come to an end by itself; default ${defaultGraceMs / 1000}s`,
    },
    reason: { type: 'string', value: 'text', description: 'why, for people and for the workflow' },
    timeout: { type: 'string', value: 'time', description: 'how long to wait for a node; default 10s' },
    workflow: {
      type: 'string',
      value: 'name',
      description: 'all of this workflow that have not ended; needs --yes',
    },
    yes: { type: 'boolean', description: 'yes, many' },
  },
  examples: [
    [`cancel order-fulfilment/o-1 --reason 'out of stock'`, 'it undoes what it has done, if it can'],
    ['cancel --workflow order-fulfilment --grace 5s --yes', 'all of them'],
  ],
  async run(call) {
    const { options, parameters, signal } = call
    const { all, force, grace, reason, timeout, workflow, yes } = options
    const manner: Manner = {
      force,
      signal,
      timeout: parseDurationOption('timeout', timeout ?? '10s'),
      ...(grace !== undefined && { grace: parseDurationOption('grace', grace) }),
      ...(reason !== undefined && { reason }),
    }
    const [target] = parameters
    const isMany = all || workflow !== undefined
    if ((target !== undefined) === isMany)
      throw usage('cancel needs one of <workflow/id>, --workflow and --all')
    if (target !== undefined) return cancelOne(call, target, manner)
    if (!yes) throw usage('cancel ends all of them for good: add --yes')
    return cancelMany(call, workflow, manner)
  },
})

async function cancelOne(call: Call, target: string, manner: Manner): Promise<void> {
  const { options, terminal } = call
  const { out } = terminal
  await withClient(call, async client => {
    const { handle, name } = await runningInstance(client, target, manner.signal)
    await noteUnserved(call, handle, 'waiting for one')
    const status = await handle.cancel(manner)
    if (options.json)
      writeLines(out, stringify({ address: name, ...handle.address, status, reason: manner.reason }))
    else writeLines(out, `${paintStatus(status, status, out.style)} ${out.style.bold(printable(name))}`)
  })
}

async function cancelMany(call: Call, workflow: string | undefined, manner: Manner): Promise<void> {
  const { options, terminal } = call
  const { err, out } = terminal
  await withClient(call, async client => {
    let shownAt = Number.NEGATIVE_INFINITY
    const onProgress: CancelAllOptions['onProgress'] = progress => {
      const now = performance.now()
      if (options.json || !err.isTerminal || now - shownAt < 1_000) return
      shownAt = now
      writeLines(err, err.style.dim(describe(progress)))
    }
    const filter = workflow === undefined ? {} : { workflow }
    const progress = await client.cancelAll(filter, { ...manner, onProgress })
    const { cancelled, cancelling, failed, finished, firstError } = progress
    // What has no instances may be a typing error.
    if (workflow !== undefined && cancelled + cancelling + failed + finished === 0)
      await requireWorkflow(client, workflow)
    writeLines(
      out,
      options.json ? stringify({ cancelled, cancelling, failed, finished }) : describe(progress),
    )
    if (failed > 0) throw firstError
  })
}

function describe({ cancelled, cancelling, failed, finished }: CancelProgress): string {
  const counts: readonly (readonly [number, string])[] = [
    [cancelled, 'cancelled'],
    [cancelling, 'cancelling'],
    [finished, 'had finished'],
    [failed, 'failed'],
  ]
  const said = counts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`)
  return said.length === 0 ? 'nothing to cancel' : said.join(', ')
}
