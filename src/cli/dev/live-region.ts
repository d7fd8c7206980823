import { stripVTControlCharacters } from 'node:util'

import type { Output } from '../terminal.ts'
import { widthOf } from '../text.ts'

const hideCursor = '\u001B[?25l'
const showCursor = '\u001B[?25h'
const toLineEnd = '\u001B[K'
const toScreenEnd = '\u001B[J'

/** Lines at the end of a terminal that are drawn again in place. */
export class LiveRegion {
  readonly #output: Output
  readonly #restore: () => void
  #height = 0

  constructor(output: Output) {
    this.#output = output
    this.#restore = () => output.write(showCursor)
    // Also when the process is ended at once.
    process.once('exit', this.#restore)
    output.write(hideCursor)
  }

  /** Shows these lines instead of the last ones. They must fit the terminal, or they cannot be drawn over. */
  draw(lines: readonly string[]): void {
    const up = this.#height === 0 ? '' : `\u001B[${this.#height}A\r`
    // In one write, so that no half of it is ever seen.
    this.#output.write(up + lines.map(line => `${line}${toLineEnd}\n`).join('') + toScreenEnd)
    this.#height = this.heightOf(lines)
  }

  /** How many rows lines take: more than one each where the terminal is narrower. */
  heightOf(lines: readonly string[]): number {
    const columns = this.#output.columns ?? Infinity
    const heights = lines.map(line =>
      Math.max(1, Math.ceil(widthOf(stripVTControlCharacters(line)) / columns)),
    )
    return heights.reduce((sum, height) => sum + height, 0)
  }

  /** Leaves the last lines where they are. */
  end(): void {
    process.off('exit', this.#restore)
    this.#restore()
  }
}
