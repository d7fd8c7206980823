import { isRuntimeError } from '../../actors/errors.ts'
import { holdfastVersion } from '../runtime/version.ts'
import { countLeading, parseArguments, usage } from './arguments.ts'
import type { Call, Command, OptionSpecs } from './command.ts'
import { cancel } from './commands/cancel.ts'
import { dead } from './commands/dead.ts'
import { dev } from './commands/dev.ts'
import { incidents } from './commands/incidents.ts'
import { list } from './commands/list.ts'
import { nodes } from './commands/nodes.ts'
import { pause } from './commands/pause.ts'
import { pools } from './commands/pools.ts'
import { result } from './commands/result.ts'
import { resume } from './commands/resume.ts'
import { send } from './commands/send.ts'
import { show } from './commands/show.ts'
import { start } from './commands/start.ts'
import { tree } from './commands/tree.ts'
import { update } from './commands/update.ts'
import { watch } from './commands/watch.ts'
import { exitCodes, exitOk } from './exit-codes.ts'
import { commandHelp, programHelp } from './help.ts'
import { reportError } from './report-error.ts'
import { nearest } from './suggest.ts'
import { writeLines } from './terminal.ts'

/** What a command line is run with: everything of a {@link Call} that does not depend on the command. */
export type Surroundings = Pick<Call, 'config' | 'folder' | 'readInput' | 'signal' | 'terminal'>

const commands: readonly Command[] = [
  dev,
  start,
  send,
  update,
  pause,
  resume,
  cancel,
  show,
  watch,
  list,
  result,
  dead,
  incidents,
  nodes,
  tree,
  pools,
]

/** Runs a command line, without the program's name, and answers the exit code. Never throws. */
export async function runProgram(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { config, signal, terminal } = surroundings
  const at = countLeading(args)
  const command = commands.find(({ name }) => name === args[at])
  try {
    if (command === undefined) answer(args, at, surroundings)
    else await runCommand(command, args.toSpliced(at, 1), surroundings)
    return exitOk
  } catch (error) {
    // Who pressed Ctrl-C knows why it ended.
    if (signal.aborted && (error === signal.reason || isRuntimeError(error, 'ABORTED')))
      return exitCodes.ABORTED
    const json = args.includes('--json')
    return reportError(error, terminal.err, { command: command?.name, json, program: config.program })
  }
}

async function runCommand(
  command: Command,
  args: readonly string[],
  surroundings: Surroundings,
): Promise<void> {
  const { config, terminal } = surroundings
  const { options, parameters } = parseArguments(command, args)
  const call = { ...surroundings, options, parameters } as unknown as Call<OptionSpecs>
  if (options['help'] === true) {
    writeLines(terminal.out, ...commandHelp(config.program, command, terminal.out))
  } else {
    await command.run(call)
  }
}

/** What there is to say to a command line without a command. */
function answer(args: readonly string[], at: number, { config, terminal }: Surroundings): void {
  const { out } = terminal
  const word = args[at]
  const topic = word === 'help' ? args[at + 1] : undefined
  const about = commands.find(({ name }) => name === topic)
  if (word === '--version' || word === '-v') {
    writeLines(out, holdfastVersion())
  } else if (about !== undefined) {
    writeLines(out, ...commandHelp(config.program, about, out))
  } else if (topic !== undefined) {
    throw unknownCommand(topic)
  } else if (args.length === 0 || word === '--help' || word === '-h' || word === 'help') {
    writeLines(out, ...programHelp(config.program, commands, out))
  } else if (word === undefined) {
    throw usage('the command is missing')
  } else {
    throw unknownCommand(word)
  }
}

function unknownCommand(word: string): Error {
  if (word.startsWith('-')) return usage(`unknown option ${word} before a command`)
  const names = commands.map(({ name }) => name)
  const meant = nearest(word, names)
  const suggestion = meant === undefined ? `there are ${names.join(', ')}` : `did you mean ${meant}?`
  return usage(`unknown command '${word}'; ${suggestion}`)
}
