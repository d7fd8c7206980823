import type { RuntimeError } from '../../../actors/errors.ts'
import type { Clock, TimerHandle } from '../../../actors/ports.ts'
import { markOf, paintStatus } from '../instance-view.ts'
import { renderTable, type Column } from '../table.ts'
import { writeLines, type Output } from '../terminal.ts'
import { formatTime } from '../time.ts'
import type { DevScreen } from './dev-screen.ts'
import type { DevRow, DevView } from './dev-view.ts'
import { LiveRegion } from './live-region.ts'
import { counted, startLines } from './start-lines.ts'

/** Two redraws are at least so far apart. */
const redrawMs = 60
const widest = 100
const indent = '  '

export interface LiveScreenOptions {
  readonly clock: Clock
  readonly output: Output
  /** What to type next, as things stand. */
  nextCommands(view: DevView): readonly string[]
}

/** For a terminal: what runs where, then a progress bar and a table of all instances, drawn again in place. */
export class LiveScreen implements DevScreen {
  readonly #options: LiveScreenOptions
  #view: DevView | undefined
  #region: LiveRegion | undefined
  #redraw: TimerHandle | undefined
  #startedAt = 0
  #fedAfterMs: number | undefined
  #lastRefused: string | undefined

  constructor(options: LiveScreenOptions) {
    this.#options = options
  }

  preparing(message: string): void {
    const { output } = this.#options
    writeLines(output, output.style.dim(message))
  }

  started(view: DevView): void {
    const { clock, output } = this.#options
    this.#view = view
    this.#startedAt = clock.monotonic()
    writeLines(output, ...startLines(view, output.style), '')
    this.#region = new LiveRegion(output)
    this.#draw()
  }

  changed(): void {
    const { clock } = this.#options
    if (this.#view?.isFed === true) this.#fedAfterMs ??= clock.monotonic() - this.#startedAt
    this.#redraw ??= clock.setTimer(redrawMs, () => this.#draw())
  }

  refused(position: number, error: RuntimeError): void {
    this.#lastRefused = `message ${position}: ${error.message}`
    this.changed()
  }

  stopping(): void {
    this.#redraw?.cancel()
    this.#draw()
    this.#region?.end()
    this.#region = undefined
    const { style } = this.#options.output
    // On a line of its own: the terminal has written ^C.
    writeLines(this.#options.output, '', style.dim('Stopping; Ctrl-C again ends it at once'))
  }

  stopped(): void {
    writeLines(this.#options.output, 'Stopped. The same command goes on from here.')
  }

  #draw(): void {
    this.#redraw = undefined
    if (this.#view !== undefined) this.#region?.draw(this.#lines(this.#view, this.#region))
  }

  #lines(view: DevView, region: LiveRegion): string[] {
    const { output } = this.#options
    const { style } = output
    const width = Math.min(output.columns ?? widest, widest)
    const above = view.feed === undefined ? [] : [`${indent}${this.#progress(view, view.feed.total)}`, '']
    const below = [
      ...this.#refusals(view, width),
      '',
      'In another terminal:',
      ...this.#options.nextCommands(view).map(command => indent + style.cyan(command)),
      style.dim('Ctrl-C stops it; everything is kept.'),
    ]
    // The last row of the terminal is where the cursor stands.
    const room = (output.rows ?? 24) - region.heightOf([...above, ...below]) - 1
    return [...above, ...this.#table(view, width - indent.length, room), ...below]
  }

  #refusals({ feed }: DevView, width: number): string[] {
    const last = this.#lastRefused
    if (last === undefined) return []
    const { style } = this.#options.output
    const lines = [
      `Refused messages are kept with the reason in stream ${feed!.deadLetters}. The last:`,
      last,
    ]
    return ['', ...lines.map(line => style.yellow(line.slice(0, width - 1)))]
  }

  #progress({ applied, feed, isFed, refused }: DevView, total: number): string {
    const { clock, output } = this.#options
    const { style } = output
    const length = 30
    const filled = Math.round((length * applied) / total)
    const bar = style.cyan('━'.repeat(filled)) + style.dim('─'.repeat(length - filled))
    const count = `${String(applied).padStart(String(total).length)} of ${total} webhooks applied`
    const ms = this.#fedAfterMs ?? clock.monotonic() - this.#startedAt
    const isNews = isFed && feed!.before < total
    const done = isNews ? `  ${style.green('✔')} in ${(ms / 1000).toFixed(1)} s` : ''
    return `${bar}  ${count}${done}${refused === 0 ? '' : `  ${style.yellow(`${refused} refused`)}`}`
  }

  #table(view: DevView, width: number, room: number): string[] {
    const { style } = this.#options.output
    const all = view.rows()
    if (all.length === 0) return []
    const fits = all.length + 1 <= room
    // A table that does not fit shows what waits for the user and what changed last, and still keeps the order.
    const byInterest = all.toSorted((a, b) => {
      return Number(b.awaitsShipment) - Number(a.awaitsShipment) || b.updatedAt - a.updatedAt
    })
    const latest = new Set(byInterest.slice(0, Math.max(1, room - 2)))
    const shown = fits ? all : all.filter(row => latest.has(row))
    const lines = renderTable(shown, columnsOf(this.#options.output), { style, width })
    const more = fits ? [] : [style.dim(`… and ${counted(all.length - shown.length, 'more instance')}`)]
    return [...lines, ...more].map(line => indent + line)
  }
}

function columnsOf({ style }: Output): Column<DevRow>[] {
  return [
    {
      title: '',
      text: ({ status }) => markOf(status),
      paint: (text, { status }) => paintStatus(text, status, style),
    },
    // Even names are cut here: a row that wraps would push the others out of place.
    { title: 'INSTANCE', cut: 'start', text: ({ name }) => name, paint: text => style.bold(text) },
    {
      title: 'STATE',
      cut: 'start',
      text: ({ state }) => state,
      paint: (text, { status }) => paintStatus(text, status, style),
    },
    {
      title: 'WEBHOOKS',
      align: 'right',
      text: ({ webhooks }) => (webhooks === 0 ? '' : String(webhooks)),
    },
    {
      title: 'CHANGED',
      text: ({ updatedAt }) => formatTime(new Date(updatedAt)),
      paint: text => style.dim(text),
    },
  ]
}
