import { RuntimeError } from '../../../actors/errors.ts'
import type { Address } from '../../../actors/address.ts'
import type { Client, IncidentFilter } from '../../client/client.ts'
import { settleEach } from '../../client/incidents.ts'
import { stringify } from '../../codec/json.ts'
import { systemClock } from '../../clock.ts'
import { formatAddress } from '../../workflow/address.ts'
import { usage } from '../arguments.ts'
import { defineCommand, type Call } from '../command.ts'
import { existingInstance } from '../existing-instance.ts'
import { describeIncident, incidentColumns, incidentJson, incidentRow } from '../incident-view.ts'
import { requireWorkflow } from '../known-workflow.ts'
import { withClient } from '../open-client.ts'
import { parseDurationOption } from '../option-values.ts'
import { noteUnserved } from '../served.ts'
import { nearest } from '../suggest.ts'
import { renderTable } from '../table.ts'
import { printable } from '../text.ts'
import { writeLines } from '../terminal.ts'

const actions = ['list', 'show', 'retry', 'skip', 'fail'] as const
type Action = (typeof actions)[number]
type Change = Exclude<Action, 'list' | 'show'>
const pasts: Readonly<Record<Change, string>> = { retry: 'retried', skip: 'skipped', fail: 'failed' }

const options = {
  all: { type: 'boolean', description: 'retry, skip, fail: all of them, or all of the workflow' },
  reason: { type: 'string', value: 'text', description: 'fail: why, for people' },
  timeout: { type: 'string', value: 'time', description: 'how long to wait for a node, each; default 10s' },
  workflow: { type: 'string', value: 'name', description: 'list, --all: only those of this workflow' },
  yes: { type: 'boolean', description: 'skip --all, fail --all: it is meant' },
} as const

type IncidentsCall = Call<typeof options>

export const incidents = defineCommand({
  name: 'incidents',
  summary: 'list and show what has suspended instances; retry, skip or fail it',
  description: [
    'An instance is suspended when its machine throws; what made it throw is kept. To retry is to make that step ' +
      'again, once the workflow is fixed and deployed; to skip is to drop what made it; to fail is to end the instance.',
  ],
  parameters: [`[${actions.join('|')}]`, '[workflow/id]'],
  options,
  examples: [
    ['incidents', 'all suspended instances'],
    ['incidents show order-fulfilment/o-1', 'what was thrown, and by which event'],
    ['incidents retry order-fulfilment/o-1', 'once it is fixed'],
    ['incidents retry --all --workflow order-fulfilment', 'after a deployment'],
    [`incidents fail order-fulfilment/o-1 --reason 'a test order'`, 'it is not worth it'],
  ],
  async run(call) {
    const { action, target } = parseCall(call)
    await withClient(call, client => {
      if (action === 'list') return list(call, client)
      if (action === 'show') return show(call, client, target!)
      if (target === undefined) return settleAll(call, client, action)
      return settleOne(call, client, action, target)
    })
  },
})

async function list(call: IncidentsCall, client: Client): Promise<void> {
  const { options: given, signal, terminal } = call
  const { out } = terminal
  const lines: string[] = []
  const rows: ReturnType<typeof incidentRow>[] = []
  for await (const snapshot of client.incidents(filterOf(call), { signal })) {
    if (given.json) lines.push(stringify(incidentJson(snapshot)))
    else rows.push(incidentRow(snapshot))
  }
  if (given.json) {
    writeLines(out, ...lines)
    return
  }
  // What has no instances may be a typing error.
  if (rows.length === 0 && given.workflow !== undefined) await requireWorkflow(client, given.workflow)
  if (rows.length === 0) {
    writeLines(out, 'no instance is suspended')
    return
  }
  const { columns: width, style } = out
  const sorted = rows.toSorted((a, b) => b.at - a.at || (a.name < b.name ? -1 : 1))
  writeLines(out, ...renderTable(sorted, incidentColumns(style, systemClock.now()), { style, width }))
}

async function show(call: IncidentsCall, client: Client, target: string): Promise<void> {
  const { options: given, signal, terminal } = call
  const { name, snapshot } = await existingInstance(client, target, signal)
  const { address, incident, status } = snapshot
  if (incident === undefined) {
    throw new RuntimeError('INSTANCE_NOT_SUSPENDED', `${name} is not suspended: it is ${status}`, {
      fields: { ...address, status },
    })
  }
  const { out } = terminal
  if (given.json) writeLines(out, stringify(incidentJson(snapshot)))
  else {
    const lines = describeIncident(incident, systemClock.now(), out.style)
    writeLines(out, out.style.bold(printable(name)), '', ...lines.map(line => `  ${line}`))
  }
}

async function settleOne(call: IncidentsCall, client: Client, action: Change, target: string): Promise<void> {
  const { options: given, signal, terminal } = call
  const { handle, name } = await existingInstance(client, target, signal)
  await noteUnserved(call, handle, 'waiting for one')
  await settle(call, client, action, handle.address)
  const { out } = terminal
  if (given.json) writeLines(out, stringify({ address: name, ...handle.address, [pasts[action]]: 1 }))
  else writeLines(out, `${out.style.green(pasts[action])} ${out.style.bold(printable(name))}`)
}

/** @throws RuntimeError `STEP_FAILED` when a retry has suspended any of them again */
async function settleAll(call: IncidentsCall, client: Client, action: Change): Promise<void> {
  const { options: given, signal, terminal } = call
  const suspended = client.list({ ...filterOf(call), status: 'suspended' }, { signal })
  const outcome = await settleEach(suspended, address => settle(call, client, action, address))
  const again = outcome.suspended.map(formatAddress)
  const { out } = terminal
  if (given.json) writeLines(out, stringify({ [pasts[action]]: outcome.settled, suspended: again }))
  else {
    const what = outcome.settled === 1 ? 'instance' : 'instances'
    writeLines(out, `${out.style.green(pasts[action])} ${outcome.settled} ${what}`)
  }
  if (again.length === 0) return
  const message = `${again.length} of them threw again, the first ${again[0]}: incidents show says what`
  throw new RuntimeError('STEP_FAILED', message, { fields: { suspended: again } })
}

function settle(call: IncidentsCall, client: Client, action: Change, address: Address): Promise<void> {
  const { options: given, signal } = call
  const timeout = parseDurationOption('timeout', given.timeout ?? '10s')
  const handle = client.instance(address.workflow, address.id)
  const { reason } = given
  if (action !== 'fail') return handle[action]({ signal, timeout })
  return handle.fail({ signal, timeout, ...(reason !== undefined && { reason }) })
}

function parseCall({ options: given, parameters }: IncidentsCall): {
  action: Action
  target: string | undefined
} {
  const [word = 'list', target] = parameters
  const action = actions.find(name => name === word)
  if (action === undefined) {
    const meant = nearest(word, actions)
    const suggestion = meant === undefined ? `there are ${actions.join(', ')}` : `did you mean ${meant}?`
    throw usage(`incidents does not know '${word}'; ${suggestion}`)
  }
  if (action === 'list' && target !== undefined) throw usage(`incidents list does not take '${target}'`)
  if (action === 'show' && target === undefined) throw usage('incidents show needs <workflow/id>')
  const isChange = action !== 'list' && action !== 'show'
  if (given.all && !isChange) throw usage(`incidents ${action} does not take --all`)
  if (isChange && (target === undefined) !== given.all) {
    throw usage(`incidents ${action} needs either <workflow/id> or --all`)
  }
  if (given.all && action !== 'retry' && !given.yes) {
    throw usage(`incidents ${action} --all does it to all that 'incidents list' shows: add --yes`)
  }
  if (given.reason !== undefined && action !== 'fail') throw usage('--reason is for incidents fail')
  if (given.workflow !== undefined && target !== undefined) {
    throw usage(`incidents ${action} <workflow/id> does not take --workflow`)
  }
  return { action, target }
}

function filterOf({ options: { workflow } }: IncidentsCall): IncidentFilter {
  return workflow === undefined ? {} : { workflow }
}
