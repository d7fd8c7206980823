import { createRequire } from 'node:module'

import { isRuntimeError } from '../../actors/errors.ts'
import { parseArguments, usage } from './arguments.ts'
import type { Call, Command, OptionSpecs } from './command.ts'
import { dev } from './commands/dev.ts'
import { list } from './commands/list.ts'
import { result } from './commands/result.ts'
import { send } from './commands/send.ts'
import { show } from './commands/show.ts'
import { start } from './commands/start.ts'
import { update } from './commands/update.ts'
import { watch } from './commands/watch.ts'
import { exitCodes, exitOk } from './exit-codes.ts'
import { commandHelp, programHelp } from './help.ts'
import { reportError } from './report-error.ts'
import { nearest } from './suggest.ts'
import { writeLines } from './terminal.ts'

/** What a command line is run with: everything of a {@link Call} that does not depend on the command. */
export type Surroundings = Pick<Call, 'config' | 'folder' | 'readInput' | 'signal' | 'terminal'>

const commands: readonly Command[] = [dev, start, send, update, show, watch, list, result]

/** Runs a command line, without the program's name, and answers the exit code. Never throws. */
export async function runProgram(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { config, signal, terminal } = surroundings
  const command = commands.find(({ name }) => name === args[0])
  try {
    await dispatch(command, args, surroundings)
    return exitOk
  } catch (error) {
    // Who pressed Ctrl-C knows why it ended.
    if (signal.aborted && (error === signal.reason || isRuntimeError(error, 'ABORTED')))
      return exitCodes.ABORTED
    const json = args.includes('--json')
    return reportError(error, terminal.err, { command: command?.name, json, program: config.program })
  }
}

async function dispatch(
  command: Command | undefined,
  args: readonly string[],
  surroundings: Surroundings,
): Promise<void> {
  const { config, terminal } = surroundings
  const [first, ...rest] = args
  const { style } = terminal.out
  if (command !== undefined) {
    const { options, parameters } = parseArguments(command, rest)
    if (options['help'] === true) writeLines(terminal.out, ...commandHelp(config.program, command, style))
    else await command.run({ ...surroundings, options, parameters } as unknown as Call<OptionSpecs>)
    return
  }
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    const about = commands.find(({ name }) => name === rest[0])
    const lines =
      about === undefined
        ? programHelp(config.program, commands, style)
        : commandHelp(config.program, about, style)
    writeLines(terminal.out, ...lines)
    return
  }
  if (first === '--version') {
    writeLines(terminal.out, version())
    return
  }
  throw unknownCommand(first)
}

function unknownCommand(word: string): Error {
  if (word.startsWith('-')) return usage(`the command comes first; got '${word}'`)
  const names = commands.map(({ name }) => name)
  const meant = nearest(word, names)
  const suggestion = meant === undefined ? `there are ${names.join(', ')}` : `did you mean ${meant}?`
  return usage(`unknown command '${word}'; ${suggestion}`)
}

/** By its own name, so that it is found from the sources and from the build alike. */
function version(): string {
  const { version: own } = createRequire(import.meta.url)('holdfast/package.json') as { version: string }
  return own
}
