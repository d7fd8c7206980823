import { mkdir } from 'node:fs/promises'
import { relative, resolve } from 'node:path'

import { isRuntimeError } from '../../../actors/errors.ts'
import { orderFulfilment } from '../../../actors/workflows/order-fulfilment.ts'
import { pullRequest } from '../../../actors/workflows/pull-request.ts'
import { systemClock } from '../../clock.ts'
import { usage } from '../arguments.ts'
import { defineCommand, type Call } from '../command.ts'
import { claimDataFolder, dataFolderName, isFoundFrom, releaseDataFolder } from '../dev-file.ts'
import type { DevScreen } from '../dev/dev-screen.ts'
import type { DevView } from '../dev/dev-view.ts'
import { JsonScreen } from '../dev/json-screen.ts'
import { LiveScreen } from '../dev/live-screen.ts'
import { loadWorkflows } from '../dev/load-workflows.ts'
import { nextCommands } from '../dev/next-commands.ts'
import { PlainScreen } from '../dev/plain-screen.ts'
import { runDev, type DevPlan } from '../dev/run-dev.ts'
import { parseDurationOption, parseWholeOption } from '../option-values.ts'

/** In a terminal the feed is slow enough to be followed. */
const terminalPaceMs = 10

const options = {
  data: {
    type: 'string',
    value: 'folder',
    description: `where everything is kept; default ${dataFolderName}`,
  },
  feed: {
    type: 'boolean',
    description: 'feed real GitHub webhooks to the samples, and show what becomes of them',
  },
  pace: {
    type: 'string',
    value: 'time',
    description: `wait so long before each webhook; default ${terminalPaceMs}ms in a terminal, else 0`,
  },
  port: {
    type: 'string',
    value: 'n',
    description: 'port of the NATS it starts; default that of the last time, else a free one',
  },
  workflows: {
    type: 'string',
    value: 'file',
    multiple: true,
    description: 'a JavaScript module that exports workflows to run besides the samples; may be repeated',
  },
} as const

type DevCall = Call<typeof options>

export const dev = defineCommand({
  name: 'dev',
  summary: 'run everything here: NATS, a node and the sample workflows',
  description: [
    'NATS is a real nats-server with its data in the folder; it is fetched if there is none. It ends with this ' +
      'command, in whatever way that ends, and the next one finds every instance again. Commands run in the same ' +
      'folder, or below it, find this NATS by themselves.',
    'With --server, or HOLDFAST_SERVER, the node uses that NATS and starts none.',
  ],
  parameters: [],
  options,
  examples: [
    ['dev --feed', 'see the samples at work'],
    ['dev --workflows ./dist/workflows.js', 'run workflows of yours'],
    ['dev --data /tmp/try --port 4222 --json', 'elsewhere, on a known port, one JSON document a line'],
  ],
  async run(call) {
    const plan = await makePlan(call)
    const screen = createScreen(call, plan)
    await claim(plan)
    try {
      await runDev(plan, screen, call.signal)
    } catch (error) {
      // Stopped before it ran.
      if (error !== call.signal.reason) throw error
    } finally {
      await releaseDataFolder(plan.dataFolder)
    }
    screen.stopped()
  },
})

async function claim({ dataFolder, namespace }: DevPlan): Promise<void> {
  try {
    await mkdir(dataFolder, { recursive: true })
    await claimDataFolder(dataFolder, { namespace, pid: process.pid })
  } catch (error) {
    if (isRuntimeError(error)) throw error
    const reason = (error as Error).message
    throw usage(`nothing can be kept in ${dataFolder}: ${reason}; choose another folder with --data`)
  }
}

/** Everything that can be wrong with the command line, before anything runs. */
async function makePlan({ config, folder, options: given, terminal }: DevCall): Promise<DevPlan> {
  const usualPace = terminal.out.isTerminal && !given.json ? terminalPaceMs : 0
  const server = given.server ?? config.server
  if (server !== undefined && given.port !== undefined) {
    throw usage(`--port is for the NATS that dev starts; with ${server} it starts none`)
  }
  const dataFolder = resolve(folder, given.data ?? dataFolderName)
  const fromHere = relative(folder, dataFolder)
  return {
    dataFolder,
    dataName: fromHere === '' || fromHere.startsWith('..') ? dataFolder : fromHere,
    feed: given.feed,
    namespace: given.namespace ?? config.namespace ?? 'default',
    natsServer: config.natsServer,
    paceMs: given.pace === undefined ? usualPace : parseDurationOption('pace', given.pace),
    port: given.port === undefined ? undefined : parseWholeOption('port', given.port, 1, 65_535),
    server,
    workflows: [orderFulfilment, pullRequest, ...(await loadWorkflows(folder, given.workflows))],
  }
}

function createScreen({ config, folder, options: given, terminal }: DevCall, plan: DevPlan): DevScreen {
  const { out: output } = terminal
  const isFound = isFoundFrom(folder, plan.dataFolder)
  const next = (view: DevView) => nextCommands(config.program, view.rows(), view.facts, isFound)
  if (given.json) return new JsonScreen(output)
  if (output.isTerminal && given.feed)
    return new LiveScreen({ clock: systemClock, nextCommands: next, output })
  return new PlainScreen({ nextCommands: next, output })
}
