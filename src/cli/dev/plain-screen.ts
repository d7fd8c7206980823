import type { RuntimeError } from '../../../actors/errors.ts'
import { paintStatus } from '../instance-view.ts'
import { renderTable } from '../table.ts'
import { writeLines, type Output } from '../terminal.ts'
import type { DevScreen } from './dev-screen.ts'
import type { DevRow, DevView } from './dev-view.ts'
import { counted, startLines } from './start-lines.ts'

/** Steps in which progress is told. */
const steps = 10

export interface PlainScreenOptions {
  readonly output: Output
  /** What to type next, as things stand. */
  nextCommands(view: DevView): readonly string[]
}

/** For a pipe or a file, and for a terminal without a feed to show: plain lines. */
export class PlainScreen implements DevScreen {
  readonly #options: PlainScreenOptions
  #view: DevView | undefined
  #nextStep = 1
  #isComplete = false

  constructor(options: PlainScreenOptions) {
    this.#options = options
  }

  preparing(message: string): void {
    this.#write(message)
  }

  started(view: DevView): void {
    this.#view = view
    this.#write(...startLines(view, this.#options.output.style), '')
    if (view.feed === undefined) this.#writeNext(view)
  }

  changed(): void {
    const view = this.#view
    if (view?.feed === undefined || this.#isComplete) return
    const { total } = view.feed
    const step = Math.floor((steps * view.applied) / total)
    if (step < this.#nextStep) return
    this.#nextStep = step + 1
    if (view.feed.before < total) this.#write(`${view.applied} of ${total} webhooks applied`)
    if (!view.isFed) return
    this.#isComplete = true
    this.#write('', ...this.#table(view), '')
    this.#writeNext(view)
  }

  refused(position: number, error: RuntimeError): void {
    this.#write(
      `message ${position} was not applied: ${error.message}`,
      `${counted(this.#view!.refused, 'message')} refused, kept with the reason in stream ${this.#view!.feed!.deadLetters}`,
    )
  }

  stopping(): void {
    this.#write('', 'Stopping')
  }

  stopped(): void {
    this.#write('Stopped. The same command goes on from here.')
  }

  #writeNext(view: DevView): void {
    const { output } = this.#options
    const commands = this.#options.nextCommands(view).map(command => `  ${output.style.cyan(command)}`)
    this.#write('In another terminal:', ...commands, output.style.dim('Ctrl-C stops it; everything is kept.'))
  }

  #table(view: DevView): string[] {
    const { style } = this.#options.output
    const rows = view.rows()
    return [
      counted(rows.length, 'instance'),
      ...renderTable<DevRow>(
        rows,
        [
          { title: 'INSTANCE', text: ({ name }) => name },
          {
            title: 'STATUS',
            text: ({ status }) => status,
            paint: (text, { status }) => paintStatus(text, status, style),
          },
          { title: 'STATE', text: ({ state }) => state },
        ],
        { style, width: undefined },
      ),
    ]
  }

  #write(...lines: readonly string[]): void {
    writeLines(this.#options.output, ...lines)
  }
}
