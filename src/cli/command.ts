import type { Config } from './config.ts'
import type { Terminal } from './terminal.ts'

/** An option, written `--name`. */
export interface OptionSpec {
  /** What it does, its default and its range, for `--help`. */
  readonly description: string
  /** May be given several times. */
  readonly multiple?: true
  /** One letter that stands for it, written `-h`. */
  readonly short?: string
  readonly type: 'boolean' | 'string'
  /** What its value is, for `--help`. */
  readonly value?: string
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>

/** What was given, by the name of the option. */
export type OptionValues<TOptions extends OptionSpecs> = {
  readonly [TName in keyof TOptions]: TOptions[TName] extends { readonly multiple: true }
    ? readonly string[]
    : TOptions[TName]['type'] extends 'boolean'
      ? boolean
      : string | undefined
}

/** What every command understands, after its name or before it. */
export const commonOptions = {
  creds: {
    type: 'string',
    value: 'file',
    description: 'credentials of a user of NATS; default HOLDFAST_CREDS',
  },
  help: { type: 'boolean', short: 'h', description: 'show this' },
  json: { type: 'boolean', description: 'write JSON for programs: one document, or one a line for streams' },
  namespace: {
    type: 'string',
    value: 'name',
    description: "the namespace; default HOLDFAST_NAMESPACE, else that of 'holdfast dev', else default",
  },
  server: {
    type: 'string',
    value: 'url',
    description:
      "NATS to work with; default HOLDFAST_SERVER, else the 'holdfast dev' of this folder or above",
  },
} as const satisfies OptionSpecs

/** What a command is given. */
export interface Call<TOptions extends OptionSpecs = Record<never, OptionSpec>> {
  readonly config: Config
  /** The folder it is run in. */
  readonly folder: string
  readonly options: OptionValues<TOptions & typeof commonOptions>
  /** What is not an option, in order. */
  readonly parameters: readonly string[]
  /** Aborts when the user wants it to end. */
  readonly signal: AbortSignal
  readonly terminal: Terminal
  /** All of standard input. */
  readInput(): Promise<string>
}

interface CommandFacts {
  readonly name: string
  /** One line, for the list of commands. */
  readonly summary: string
  /** What is good to know besides, in paragraphs. */
  readonly description?: readonly string[]
  /** `<needed>`, then `[optional]`. */
  readonly parameters: readonly string[]
  /** Command lines without the program's name, each with what it does. */
  readonly examples: readonly (readonly [commandLine: string, effect: string])[]
}

export interface Command extends CommandFacts {
  readonly options: OptionSpecs
  run(call: Call<OptionSpecs>): Promise<void>
}

/** A command whose options have their types. */
export function defineCommand<const TOptions extends OptionSpecs>(
  command: CommandFacts & { readonly options: TOptions; run(call: Call<TOptions>): Promise<void> },
): Command {
  return { ...command, run: call => command.run(call as unknown as Call<TOptions>) }
}
