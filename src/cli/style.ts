import { styleText } from 'node:util'

/** What gives a text a colour or a weight; the text itself where there are no colours. */
export interface Style {
  readonly enabled: boolean
  bold(text: string): string
  dim(text: string): string
  cyan(text: string): string
  green(text: string): string
  red(text: string): string
  yellow(text: string): string
}

type Format = Exclude<keyof Style, 'enabled'>

/** The style of one output. */
export function createStyle(enabled: boolean): Style {
  // Whether this output has colours is decided already; by itself Node looks at standard output.
  const wrap = (format: Format) => (text: string) =>
    enabled && text !== '' ? styleText(format, text, { validateStream: false }) : text
  return Object.freeze({
    enabled,
    bold: wrap('bold'),
    dim: wrap('dim'),
    cyan: wrap('cyan'),
    green: wrap('green'),
    red: wrap('red'),
    yellow: wrap('yellow'),
  })
}
