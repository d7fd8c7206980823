import { parseArgs } from 'node:util'

import { RuntimeError } from '../../actors/errors.ts'
import { commonOptions, type Command, type OptionSpecs } from './command.ts'
import { nearest } from './suggest.ts'

/** A command line, understood. */
export interface ParsedArguments {
  readonly options: Readonly<Record<string, string | boolean | readonly string[] | undefined>>
  readonly parameters: readonly string[]
}

/**
 * Understands what follows the name of a command.
 *
 * @throws RuntimeError `USAGE` naming what is wrong, with what was probably meant
 */
export function parseArguments(command: Command, args: readonly string[]): ParsedArguments {
  const specs: OptionSpecs = { ...command.options, ...commonOptions }
  const parsed = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      Object.entries(specs).map(([name, { type, multiple = false, short }]) => {
        return [name, { type, multiple, ...(short !== undefined && { short }) }]
      }),
    ),
    allowPositionals: true,
    // Its own complaints can only be told apart by their text, and suggest nothing.
    strict: false,
    tokens: true,
  })
  for (const token of parsed.tokens) if (token.kind === 'option') checkOption(token, specs)
  const defaults = Object.entries(specs).map(([name, { multiple, type }]) => {
    return [name, multiple ? [] : type === 'boolean' ? false : undefined]
  })
  const options = { ...Object.fromEntries(defaults), ...parsed.values }
  if (options['help'] !== true) checkParameters(command, parsed.positionals)
  return { options, parameters: parsed.positionals }
}

/** How many arguments there are before the name of the command: options of every command, with their values. */
export function countLeading(args: readonly string[]): number {
  const specs: OptionSpecs = commonOptions
  for (let at = 0; at < args.length;) {
    const [, name = '', value] = /^--([^=]+)(=.*)?$/.exec(args[at]!) ?? []
    if (name === 'help' || !Object.hasOwn(specs, name)) return at
    at += specs[name]!.type === 'string' && value === undefined ? 2 : 1
  }
  return args.length
}

/** An error in how a command was called. */
export function usage(message: string): RuntimeError {
  return new RuntimeError('USAGE', message)
}

function checkOption(
  token: {
    readonly inlineValue?: boolean | undefined
    readonly name: string
    readonly rawName: string
    readonly value?: string | undefined
  },
  specs: OptionSpecs,
): void {
  const { name, rawName, value } = token
  const spec = Object.hasOwn(specs, name) ? specs[name] : undefined
  // A letter that stands for nothing is an option of that name to the parser.
  if (spec === undefined || (!rawName.startsWith('--') && rawName !== `-${spec.short}`)) {
    const meant = nearest(name, Object.keys(specs))
    throw usage(`unknown option ${rawName}${meant === undefined ? '' : `; did you mean --${meant}?`}`)
  }
  if (spec.type === 'boolean') {
    if (value !== undefined) throw usage(`--${name} takes no value; got '${value}'`)
    return
  }
  // The next word begins like an option, so the value was probably forgotten. A lone hyphen is standard input.
  const isForgotten = value === undefined || (!token.inlineValue && value.startsWith('-') && value !== '-')
  if (isForgotten) throw usage(`--${name} needs a value: --${name}=${spec.value ?? 'value'}`)
}

function checkParameters(command: Command, given: readonly string[]): void {
  const missing = command.parameters.filter(parameter => parameter.startsWith('<'))[given.length]
  if (missing !== undefined) throw usage(`${command.name} needs ${missing}`)
  const [unexpected] = given.slice(command.parameters.length)
  if (unexpected !== undefined) throw usage(`${command.name} does not take '${unexpected}'`)
}
