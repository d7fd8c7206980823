import { createStyle, type Style } from './style.ts'

/** One of the places a command writes to. */
export interface Output {
  readonly isTerminal: boolean
  readonly style: Style
  /** Columns of the terminal as it is now; undefined: no terminal, lines may be of any length. */
  readonly columns: number | undefined
  /** Rows of the terminal as it is now; undefined: no terminal. */
  readonly rows: number | undefined
  write(text: string): void
}

/** What a command is run from. */
export interface Terminal {
  readonly out: Output
  readonly err: Output
}

/** The two outputs of this process. */
export function processTerminal(colors: boolean | undefined): Terminal {
  return { out: outputOf(process.stdout, colors), err: outputOf(process.stderr, colors) }
}

/** One line, or several. */
export function writeLines(output: Output, ...lines: readonly string[]): void {
  output.write(lines.map(line => `${line}\n`).join(''))
}

/** What a terminal has that does not say: some tools open one without a size. */
const usualColumns = 80
const usualRows = 24

function outputOf(stream: NodeJS.WriteStream, colors: boolean | undefined): Output {
  const isTerminal = stream.isTTY === true
  return {
    isTerminal,
    style: createStyle(colors ?? isTerminal),
    get columns() {
      return isTerminal ? stream.columns || usualColumns : undefined
    },
    get rows() {
      return isTerminal ? stream.rows || usualRows : undefined
    },
    write: text => void stream.write(text),
  }
}
