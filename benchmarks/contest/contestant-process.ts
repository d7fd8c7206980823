import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

import type { Program } from './contestants.ts'
import type { About, News, Order, RunOrder } from './protocol.ts'

type Ready = Extract<News, { readonly type: 'ready' }>
export type Ran = Extract<News, { readonly type: 'ran' }>

/** What a server must not hear of: it may log, trace or search differently for it, and be slower by half. */
const kept = /^(HOLDFAST_|HOME$|LANG|LD_LIBRARY_PATH$|PATH$|TMPDIR$|TZ$|USER$)/
/** For every process of every contestant that is Node: with the default a tenth of all work is collecting the young. */
const nodeOptions = '--max-semi-space-size=32'
const stopTimeoutMs = 20_000
/** What has not answered by then never will: something was lost. A million idle instances take a quarter of an hour. */
const runTimeoutMs = 45 * 60_000

/** A contestant, as the runner sees it. */
export class ContestantProcess implements AsyncDisposable {
  readonly about: About
  readonly workloads: readonly string[]
  readonly #child: ChildProcess
  readonly #signal: AbortSignal

  private constructor(child: ChildProcess, { about, workloads }: Ready, signal: AbortSignal) {
    this.#child = child
    this.about = about
    this.workloads = workloads
    this.#signal = signal
  }

  /**
   * Starts it; answers why not when it cannot take part on this machine.
   *
   * @throws Error when it fails to start
   */
  static async start({ args, script }: Program, signal: AbortSignal): Promise<ContestantProcess | string> {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => kept.test(name)))
    // In a group of its own: Ctrl-C is for the runner.
    const child = fork(script, args, { detached: true, env: { ...env, NODE_OPTIONS: nodeOptions } })
    try {
      const news = await next(child, signal)
      if (news.type === 'ready') return new ContestantProcess(child, news, signal)
      if (news.type === 'absent') return news.why
      throw new Error(news.type === 'failed' ? news.error : `it said '${news.type}' first`)
    } catch (error) {
      await end(child)
      throw error
    }
  }

  /** @throws Error what went wrong in it, or that it takes too long; the reason of the signal */
  async run(order: Omit<RunOrder, 'type'>): Promise<Ran> {
    this.#send({ type: 'run', ...order })
    const news = await next(this.#child, AbortSignal.any([this.#signal, AbortSignal.timeout(runTimeoutMs)]))
    if (news.type === 'ran') return news
    throw new Error(news.type === 'failed' ? news.error : `it said '${news.type}'`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.connected) this.#send({ type: 'stop' })
    await end(this.#child)
  }

  #send(order: Order): void {
    this.#child.send(order)
  }
}

async function next(child: ChildProcess, signal: AbortSignal): Promise<News> {
  const over = new AbortController()
  const either = { signal: AbortSignal.any([signal, over.signal]) }
  try {
    return await Promise.race([
      once(child, 'message', either).then(([news]) => news as News),
      once(child, 'exit', either).then(([code, name]) => {
        throw new Error(`the contestant ended with ${String(name ?? `code ${code}`)}`)
      }),
    ])
  } catch (error) {
    signal.throwIfAborted()
    throw error
  } finally {
    over.abort()
  }
}

/** Waits until it has ended; what does not end in time is killed, with all in its group. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  if (child.connected) child.disconnect()
  const late = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), stopTimeoutMs)
  await exited
  clearTimeout(late)
}
