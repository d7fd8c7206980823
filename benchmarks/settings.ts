import { parseArgs } from 'node:util'

/** An option that is a whole number. */
export interface NumberOption {
  readonly byDefault: number
  /** Default 1. */
  readonly least?: number
}

export type Settings<N extends string, F extends string> = Readonly<Record<N, number> & Record<F, boolean>>

/** What a script was asked for on its command line. Ends the process after `--help` and for what is wrong. */
export function readSettings<N extends string, F extends string = never>(
  help: string,
  numbers: Readonly<Record<N, NumberOption>>,
  flags: readonly F[] = [],
): Settings<N, F | 'json'> {
  const values = readValues(Object.keys(numbers), [...flags, 'json', 'help'])
  if (values['help'] === true) {
    process.stdout.write(help)
    process.exit()
  }
  const entries: (readonly [string, number | boolean])[] = []
  for (const [name, { byDefault, least = 1 }] of Object.entries<NumberOption>(numbers)) {
    const value = Number(values[name] ?? byDefault)
    if (!Number.isSafeInteger(value) || value < least) {
      refuse(`--${name} must be a whole number from ${least}; got '${String(values[name])}'`)
    }
    entries.push([name, value])
  }
  for (const name of [...flags, 'json']) entries.push([name, values[name] === true])
  // One entry for each name, just made.
  return Object.fromEntries(entries) as Settings<N, F | 'json'>
}

function readValues(numbers: readonly string[], flags: readonly string[]): Readonly<Record<string, unknown>> {
  const options = Object.fromEntries([
    ...numbers.map(name => [name, { type: 'string' as const }] as const),
    ...flags.map(name => [name, { type: 'boolean' as const }] as const),
  ])
  try {
    return parseArgs({ options }).values
  } catch (error) {
    return refuse((error as Error).message)
  }
}

function refuse(message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}
