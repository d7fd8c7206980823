import { commonOptions, type Command, type OptionSpecs } from './command.ts'
import { exitCodes, exitMeanings } from './exit-codes.ts'
import type { Style } from './style.ts'
import { pad } from './text.ts'

const lineWidth = 100

/** What `holdfast --help` shows. */
export function programHelp(program: string, commands: readonly Command[], style: Style): string[] {
  return [
    `${style.bold('holdfast')} runs durable XState actors on NATS.`,
    '',
    `  ${program} <command> [options]`,
    '',
    ...section(
      'Commands',
      commands.map(({ name, summary }) => [name, summary]),
      style,
    ),
    ...section('Options of every command', optionRows(commonOptions), style),
    ...section(
      'Environment',
      [
        ['HOLDFAST_SERVER', 'URL of the NATS to work with'],
        ['HOLDFAST_NAMESPACE', 'the namespace'],
        ['HOLDFAST_NATS_SERVER', "path of the nats-server that 'holdfast dev' runs"],
        ['NO_COLOR', 'no colours; FORCE_COLOR: colours, even into a pipe'],
      ],
      style,
    ),
    ...section('Exit codes', exitCodeRows(), style),
    style.dim(`${program} <command> --help says more, with examples.`),
  ]
}

/** What `holdfast <command> --help` shows. */
export function commandHelp(program: string, command: Command, style: Style): string[] {
  const { description = [], examples, name, options, parameters, summary } = command
  const paragraphs = description.flatMap(paragraph => [...wrap(paragraph, lineWidth), ''])
  return [
    `${style.bold(`holdfast ${name}`)}: ${summary}.`,
    '',
    `  ${[program, name, ...parameters, '[options]'].join(' ')}`,
    '',
    ...paragraphs,
    ...section('Options', optionRows({ ...options, ...commonOptions }), style),
    style.bold('Examples'),
    ...examples.flatMap(([commandLine, effect]) => [
      `  ${style.dim(`# ${effect}`)}`,
      `  ${style.cyan(`${program} ${commandLine}`)}`,
    ]),
  ]
}

type Row = readonly [term: string, meaning: string]

function section(title: string, rows: readonly Row[], style: Style): string[] {
  const termWidth = Math.max(...rows.map(([term]) => term.length))
  const lines = rows.flatMap(([term, meaning]) =>
    wrap(meaning, lineWidth - termWidth - 4).map((line, index) => {
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
