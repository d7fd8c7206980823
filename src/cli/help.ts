import { commonOptions, type Command, type OptionSpecs } from './command.ts'
import { exitCodes, exitMeanings } from './exit-codes.ts'
import type { Output } from './terminal.ts'
import { pad } from './text.ts'

/** Where it goes: lines are no longer than its columns. */
type Page = Pick<Output, 'columns' | 'style'>

const mostWidth = 100
const leastWidth = 60

/** What `holdfast --help` shows. */
export function programHelp(program: string, commands: readonly Command[], page: Page): string[] {
  const { style } = page
  return [
    `${style.bold('holdfast')} runs durable XState actors on NATS.`,
    '',
    `  ${program} <command> [options]`,
    '',
    ...section(
      'Commands',
      commands.map(({ name, summary }) => [name, summary]),
      page,
    ),
    ...section('Options of every command', optionRows(commonOptions), page),
    ...section(
      'Environment',
      [
        ['HOLDFAST_SERVER', 'URL of the NATS to work with'],
        ['HOLDFAST_CREDS', 'file with the credentials of a user of that'],
        ['HOLDFAST_NAMESPACE', 'the namespace'],
        ['HOLDFAST_NATS_SERVER', "path of the nats-server that 'holdfast dev' runs"],
        ['NO_COLOR', 'no colours; FORCE_COLOR: colours, even into a pipe'],
      ],
      page,
    ),
    ...section('Exit codes', exitCodeRows(), page),
    style.dim(`${program} <command> --help says more, with examples.`),
  ]
}

/** What `holdfast <command> --help` shows. */
export function commandHelp(program: string, command: Command, page: Page): string[] {
  const { style } = page
  const { description = [], examples, name, options, parameters, summary } = command
  const paragraphs = description.flatMap(paragraph => [...wrap(paragraph, widthOf(page)), ''])
  return [
    `${style.bold(`holdfast ${name}`)}: ${summary}.`,
    '',
    `  ${[program, name, ...parameters, '[options]'].join(' ')}`,
    '',
    ...paragraphs,
    ...section('Options', optionRows({ ...options, ...commonOptions }), page),
    style.bold('Examples'),
    ...examples.flatMap(([commandLine, effect]) => [
      `  ${style.dim(`# ${effect}`)}`,
      `  ${style.cyan(`${program} ${commandLine}`)}`,
    ]),
  ]
}

type Row = readonly [term: string, meaning: string]

function section(title: string, rows: readonly Row[], page: Page): string[] {
  const { style } = page
  const termWidth = Math.max(...rows.map(([term]) => term.length))
  const lines = rows.flatMap(([term, meaning]) =>
    wrap(meaning, widthOf(page) - termWidth - 4).map((line, index) => {
      return `  ${style.cyan(pad(index === 0 ? term : '', termWidth))}  ${line}`
    }),
  )
  return [style.bold(title), ...lines, '']
}

function optionRows(options: OptionSpecs): Row[] {
  return Object.entries(options).map(([name, { description, short, value }]) => {
    const letter = short === undefined ? '' : `-${short}, `
    return [`${letter}--${name}${value === undefined ? '' : ` <${value}>`}`, description]
  })
}

function exitCodeRows(): Row[] {
  return Object.entries(exitMeanings).map(([exitCode, meaning]) => {
    const codes = Object.entries(exitCodes).flatMap(([code, value]) =>
      value === Number(exitCode) ? [code] : [],
    )
    return [exitCode, codes.length === 0 ? meaning : `${meaning} (${codes.join(', ')})`]
  })
}

function widthOf({ columns = mostWidth }: Page): number {
  return Math.max(leastWidth, Math.min(columns, mostWidth))
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
