import type { Style } from './style.ts'
import { pad, printable, shortenEnd, shortenStart, widthOf } from './text.ts'

export interface Column<TRow> {
  readonly title: string
  readonly align?: 'left' | 'right'
  /** Which end may be cut off when the table is too wide, the columns to the right first. Default: none. */
  readonly cut?: 'start' | 'end'
  /** Left out when the table is too wide however much is cut. */
  readonly isOptional?: true
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
  { style, width = Infinity }: TableOptions,
): string[] {
  const all = columns.map(column => measure(column, rows))
  const isTooWide = leastOf(all) > width
  const shown = fit(isTooWide ? all.filter(({ column }) => column.isOptional !== true) : all, width)
  const line = (
    textOf: (shown: Measured<TRow>) => string,
    paint: (text: string, column: Column<TRow>) => string,
  ) =>
    shown
      .map(each => paint(layOut(textOf(each), each), each.column))
      .join(gap)
      .trimEnd()

  const titles = line(
    ({ column }) => column.title,
    text => style.dim(text),
  )
  const body = rows.map((row, at) =>
    line(
      ({ texts }) => texts[at]!,
      (text, column) => column.paint?.(text, row) ?? text,
    ),
  )
  return [titles, ...body]
}

/** A column with the texts of its rows, and how wide it is shown. */
interface Measured<TRow> {
  readonly column: Column<TRow>
  readonly texts: readonly string[]
  readonly width: number
}

function measure<TRow>(column: Column<TRow>, rows: readonly TRow[]): Measured<TRow> {
  const texts = rows.map(row => printable(column.text(row)))
  return { column, texts, width: Math.max(widthOf(column.title), ...texts.map(widthOf)) }
}

function layOut<TRow>(text: string, { column: { align, cut }, width }: Measured<TRow>): string {
  const shortened =
    cut === undefined ? text : cut === 'start' ? shortenStart(text, width) : shortenEnd(text, width)
  return pad(shortened, width, align)
}

/** How wide the table is when all is cut that may be. */
function leastOf<TRow>(measured: readonly Measured<TRow>[]): number {
  return totalOf(
    measured.map(({ column, width }) => (column.cut === undefined ? width : Math.min(width, leastWidth))),
  )
}

function totalOf(widths: readonly number[]): number {
  return widths.reduce((sum, one) => sum + one, 0) + gap.length * (widths.length - 1)
}

/** Takes from the columns that may be cut, from right to left, until all fit or none can give more. */
function fit<TRow>(measured: readonly Measured<TRow>[], width: number): readonly Measured<TRow>[] {
  let excess = totalOf(measured.map(each => each.width)) - width
  return measured
    .toReversed()
    .map(each => {
      if (each.column.cut === undefined || excess <= 0) return each
      const given = Math.min(excess, Math.max(0, each.width - leastWidth))
      excess -= given
      return { ...each, width: each.width - given }
    })
    .toReversed()
}
