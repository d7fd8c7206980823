/** What a script is doing, on standard error: one line, rewritten on a terminal, else a new one every so often. */
export class ProgressLine {
  readonly #isTerminal = process.stderr.isTTY
  #shownAt = Number.NEGATIVE_INFINITY
  #isOpen = false

  /** Says what begins now. */
  say(text: string): void {
    this.#close()
    process.stderr.write(`${text}\n`)
  }

  /** So many are done; what is said with it follows the numbers. */
  count(done: number, total: number, what: string): void {
    const now = performance.now()
    const isLast = done >= total
    if (now - this.#shownAt < (this.#isTerminal ? 100 : 5000) && !isLast) return
    this.#shownAt = now
    const text = `${done} of ${total} ${what}`
    this.#isOpen = this.#isTerminal
    process.stderr.write(this.#isTerminal ? `\r\u001B[K${text}` : `${text}\n`)
    if (!isLast) return
    this.#close()
    this.#shownAt = Number.NEGATIVE_INFINITY
  }

  #close(): void {
    if (this.#isOpen) process.stderr.write('\n')
    this.#isOpen = false
  }
}
