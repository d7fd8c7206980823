import type { Style } from './style.ts'
import { pad, printable, shortenEnd, shortenStart, widthOf } from './text.ts'

export interface Column<TRow> {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** Which end may be cut off when the table is too wide, the columns to the right first. Default: none. */
  readonly cut?: 'start' | 'end'
  text(row: TRow): string
  /** Colours the text, which is padded and cut by then. */
  paint?(text: string, row: TRow): string
}

export interface TableOptions {
  readonly style: Style
  /** Columns of the terminal; undefined: as wide as it comes. */
  readonly width: number | undefined
}

const gap = '  '
/** No column is cut below this. */
const leastWidth = 16

/** The lines of a table: titles, then rows. Whatever a terminal would obey is made visible. */
export function renderTable<TRow>(
  rows: readonly TRow[],
  columns: readonly Column<TRow>[],
  { style, width }: TableOptions,
): string[] {
  const texts = rows.map(row => columns.map(column => printable(column.text(row))))
  const natural = columns.map(({ title }, index) =>
    Math.max(widthOf(title), ...texts.map(cells => widthOf(cells[index]!))),
  )
  const widths = width === undefined ? natural : fit(natural, columns, width)
  const line = (cells: readonly string[], paint: (text: string, index: number) => string) =>
    cells
      .map((cell, index) => paint(layOut(cell, columns[index]!, widths[index]!), index))
      .join(gap)
      .trimEnd()

  const titles = line(
    columns.map(({ title }) => title),
    text => style.dim(text),
  )
  const body = texts.map((cells, at) =>
    line(cells, (text, index) => columns[index]!.paint?.(text, rows[at]!) ?? text),
  )
  return [titles, ...body]
}

function layOut<TRow>(text: string, { align, cut }: Column<TRow>, width: number): string {
  const shortened =
    cut === undefined ? text : cut === 'start' ? shortenStart(text, width) : shortenEnd(text, width)
  return pad(shortened, width, align)
}

/** Takes from the columns that may be cut, from right to left, until all fit or none can give more. */
function fit<TRow>(natural: readonly number[], columns: readonly Column<TRow>[], width: number): number[] {
  const widths = [...natural]
  let excess = widths.reduce((sum, one) => sum + one, 0) + gap.length * (widths.length - 1) - width
  for (let index = widths.length - 1; index >= 0 && excess > 0; index -= 1) {
    if (columns[index]!.cut === undefined) continue
    const given = Math.min(excess, Math.max(0, widths[index]! - leastWidth))
    widths[index]! -= given
    excess -= given
  }
  return widths
}
