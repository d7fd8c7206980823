import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

interface Typed {
  readonly type: string
}

/** A node in a process of its own, as the script beside it sees it: takes orders, tells news, and can be killed. */
export class NodeProcess<Order extends Typed, News extends Typed> implements AsyncDisposable {
  readonly #child: ChildProcess
  /** Aborted when the process has ended or the script was interrupted. */
  readonly #over: AbortSignal
  readonly #listeners = new Map<string, (news: News) => void>()
  readonly #unread: News[] = []

  /**
   * @param program of the node, compiled, in this folder
   * @param options what it is told, as JSON
   */
  constructor(program: string, options: object, interrupted: AbortSignal) {
    const script = join(import.meta.dirname, `${program}.js`)
    // In a group of its own: Ctrl-C is for the script, which ends it.
    this.#child = fork(script, [JSON.stringify(options)], {
      detached: true,
      execArgv: ['--expose-gc'],
    })
    const ended = new AbortController()
    // Those that have ended do not stay with a signal that outlives them.
    interrupted.addEventListener('abort', () => this.#child.kill('SIGKILL'), { signal: ended.signal })
    this.#over = AbortSignal.any([interrupted, ended.signal])
    this.#child.once('exit', (code, signal) => {
      ended.abort(new Error(`the process of the node ended with ${signal ?? `code ${code}`}`))
    })
    this.#child.on('message', (message: unknown) => {
      // Our own program sends nothing else.
      const news = message as News
      const listener = this.#listeners.get(news.type)
      if (listener === undefined) this.#unread.push(news)
      else listener(news)
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Gives all news of that type to the listener from now on, and none of it to `next`. */
  on<T extends News['type']>(type: T, listener: (news: Extract<News, { readonly type: T }>) => void): void {
    this.#listeners.set(type, news => listener(news as Extract<News, { readonly type: T }>))
  }

  /**
   * The next news of that type.
   *
   * @throws Error when the process has ended instead; the reason of the interruption
   */
  async next<T extends News['type']>(type: T): Promise<Extract<News, { readonly type: T }>> {
    for (;;) {
      const index = this.#unread.findIndex(news => news.type === type)
      if (index >= 0) return this.#unread.splice(index, 1)[0] as Extract<News, { readonly type: T }>
      try {
        await once(this.#child, 'message', { signal: this.#over })
      } catch (error) {
        this.#over.throwIfAborted()
        throw error
      }
    }
  }

  /** Gives an order that nothing answers. */
  tell(order: Order): void {
    this.#child.send(order)
  }

  /** Gives an order and waits for the news that answers it. */
  ask<T extends News['type']>(order: Order, answer: T): Promise<Extract<News, { readonly type: T }>> {
    this.#child.send(order)
    return this.next(answer)
  }

  /** Kills it as a crash does, and resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}
