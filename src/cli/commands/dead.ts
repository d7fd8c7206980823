import type { DeadLetterFilter } from '../../client/dead-letters.ts'
import type { Client } from '../../client/client.ts'
import { stringify } from '../../codec/json.ts'
import { systemClock } from '../../clock.ts'
import { RuntimeError } from '../../../actors/errors.ts'
import { usage } from '../arguments.ts'
import { defineCommand, type Call } from '../command.ts'
import {
  deadLetterColumns,
  deadLetterJson,
  deadLetterRow,
  describeDeadLetter,
  type DeadLetterRow,
} from '../dead-letter-view.ts'
import { withClient } from '../open-client.ts'
import { parseDurationOption, parseWholeOption } from '../option-values.ts'
import { nearest } from '../suggest.ts'
import { renderTable } from '../table.ts'
import { writeLines } from '../terminal.ts'

const terminalLimit = 50
const usualWidth = 100
const actions = ['list', 'show', 'replay', 'discard'] as const
type Action = (typeof actions)[number]

const filterOptions = {
  code: { type: 'string', value: 'code', description: 'only those kept for this reason' },
  id: { type: 'string', value: 'id', description: 'only those for instances of this id' },
  since: {
    type: 'string',
    value: 'time',
    description: 'only those kept within this time, like 90s, 1h or 7d',
  },
  workflow: { type: 'string', value: 'name', description: 'only those for this workflow' },
} as const

const options = {
  again: {
    type: 'boolean',
    description: 'replay: apply it even if an interrupted replay has sent it before',
  },
  all: { type: 'boolean', description: 'replay, discard: all of them, or all that the filters let through' },
  ...filterOptions,
  limit: {
    type: 'string',
    value: 'n',
    description: `list: the newest so many, 0: all; default ${terminalLimit} in a terminal, else all`,
  },
  yes: { type: 'boolean', description: '--all is meant' },
} as const

type DeadCall = Call<typeof options>

export const dead = defineCommand({
  name: 'dead',
  summary: 'list, show, replay or discard what could not be delivered or applied',
  description: [
    'What is replayed is sent again to the instance it was for, once however often it is replayed, and is no dead ' +
      'letter any more; if it is refused again, it is a new one. Letters go by themselves after 30 days.',
  ],
  parameters: [`[${actions.join('|')}]`, '[seq]'],
  options,
  examples: [
    ['dead', 'all of them, the oldest first'],
    ['dead show 7', 'one of them: what it was and why it could not be applied'],
    ['dead replay 7', 'once the reason is gone'],
    ['dead replay --all --yes --workflow order-fulfilment --since 1h', 'those of the last hour'],
    ['dead discard --all --yes --code EVENT_INVALID', 'those of a kind'],
  ],
  async run(call) {
    const { action, seq } = parseCall(call)
    const filter = filterOf(call)
    await withClient(call, client => {
      if (action === 'list') return list(call, client, filter)
      if (action === 'show') return show(call, client, seq!)
      if (seq === undefined) return doAll(call, client, action, filter)
      return doOne(call, client, action, seq)
    })
  },
})

async function list(call: DeadCall, client: Client, filter: DeadLetterFilter): Promise<void> {
  const { options: given, signal, terminal } = call
  const { out } = terminal
  const usual = out.isTerminal && !given.json ? terminalLimit : 0
  const limit = given.limit === undefined ? usual : parseWholeOption('limit', given.limit, 0, 1_000_000)
  const newest: (DeadLetterRow | string)[] = []
  let count = 0
  for await (const letter of client.deadLetters.list(filter, { signal })) {
    count += 1
    const line = given.json ? stringify(deadLetterJson(letter)) : deadLetterRow(letter)
    // Without a limit there is nothing to hold back.
    if (typeof line === 'string' && limit === 0) writeLines(out, line)
    else newest.push(line)
    if (limit > 0 && newest.length > limit) newest.shift()
  }
  if (given.json) {
    writeLines(out, ...newest.map(String))
    return
  }
  if (count === 0) {
    writeLines(out, Object.keys(filter).length === 0 ? 'no dead letters' : 'no such dead letters')
    return
  }
  const { columns: width, style } = out
  const rows = newest as readonly DeadLetterRow[]
  writeLines(out, ...renderTable(rows, deadLetterColumns(style, systemClock.now()), { style, width }))
  if (rows.length < count)
    writeLines(out, style.dim(`… after ${count - rows.length} older; --limit 0 shows all`))
}

async function show(
  { options: given, signal, terminal }: DeadCall,
  client: Client,
  seq: number,
): Promise<void> {
  const letter = await client.deadLetters.get(seq, { signal })
  if (letter === undefined) {
    throw new RuntimeError('DEAD_LETTER_NOT_FOUND', `there is no dead letter ${seq}`, { fields: { seq } })
  }
  const { out } = terminal
  if (given.json) {
    writeLines(out, stringify(deadLetterJson(letter)))
    return
  }
  const view = { style: out.style, width: (out.columns ?? usualWidth) - 2, now: systemClock.now() }
  writeLines(out, ...describeDeadLetter(letter, view))
}

async function doOne(
  { options: given, signal, terminal }: DeadCall,
  client: Client,
  action: 'discard' | 'replay',
  seq: number,
): Promise<void> {
  if (action === 'replay') await client.deadLetters.replay(seq, { again: given.again, signal })
  else await client.deadLetters.discard(seq, { signal })
  const { out } = terminal
  const done = pastOf(action)
  if (given.json) writeLines(out, stringify({ seq, [done]: 1 }))
  else writeLines(out, `${out.style.green(done)} dead letter ${seq}`)
}

async function doAll(
  { options: given, signal, terminal }: DeadCall,
  client: Client,
  action: 'discard' | 'replay',
  filter: DeadLetterFilter,
): Promise<void> {
  const { deadLetters } = client
  const counts = await (action === 'replay'
    ? deadLetters.replayAll(filter, { signal })
    : deadLetters.discardAll(filter, { signal }))
  const { out } = terminal
  if (given.json) {
    writeLines(out, stringify(counts))
    return
  }
  const count = 'replayed' in counts ? counts.replayed : counts.discarded
  writeLines(out, `${out.style.green(pastOf(action))} ${count} dead letter${count === 1 ? '' : 's'}`)
  if ('left' in counts && counts.left > 0) {
    writeLines(out, `${counts.left} cannot be replayed and are left: dead show says why`)
  }
}

function parseCall({ options: given, parameters }: DeadCall): { action: Action; seq: number | undefined } {
  const [word = 'list', text] = parameters
  const action = actions.find(name => name === word)
  if (action === undefined) {
    const meant = nearest(word, actions)
    const suggestion = meant === undefined ? `there are ${actions.join(', ')}` : `did you mean ${meant}?`
    throw usage(`dead does not know '${word}'; ${suggestion}`)
  }
  const seq = text === undefined ? undefined : parseSeq(text)
  const changes = action === 'replay' || action === 'discard'
  if (seq !== undefined && action === 'list') throw usage(`dead list does not take '${text}'`)
  if (seq === undefined && action === 'show') throw usage('dead show needs <seq>')
  if (given.all && !changes) throw usage(`dead ${action} does not take --all`)
  if (changes && (seq === undefined) !== given.all) throw usage(`dead ${action} needs either <seq> or --all`)
  if (given.all && !given.yes) {
    throw usage(`dead ${action} --all ${action}s all that 'dead list' shows for the same filters: add --yes`)
  }
  if (given.again && (action !== 'replay' || given.all)) throw usage('--again is for dead replay <seq>')
  const filter = Object.keys(filterOptions).find(
    name => given[name as keyof typeof filterOptions] !== undefined,
  )
  if (seq !== undefined && filter !== undefined) throw usage(`dead ${action} <seq> does not take --${filter}`)
  return { action, seq }
}

function filterOf({ options: given }: DeadCall): DeadLetterFilter {
  const { code, id, since, workflow } = given
  const sinceMs = since === undefined ? undefined : parseDurationOption('since', since)
  return {
    ...(code !== undefined && { code }),
    ...(id !== undefined && { id }),
    ...(sinceMs !== undefined && { since: new Date(systemClock.now() - sinceMs) }),
    ...(workflow !== undefined && { workflow }),
  }
}

function parseSeq(text: string): number {
  const seq = /^\d+$/.test(text) ? Number(text) : 0
  if (Number.isSafeInteger(seq) && seq >= 1) return seq
  throw usage(`<seq> must be a whole number from 1, as 'dead list' shows it; got '${text}'`)
}

function pastOf(action: 'discard' | 'replay'): 'discarded' | 'replayed' {
  return action === 'replay' ? 'replayed' : 'discarded'
}
