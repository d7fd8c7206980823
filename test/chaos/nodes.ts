import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

import type { NodeOptions } from '../../src/index.ts'

/** The nodes of a chaos run, by name, each a process. */
export class Nodes implements Disposable {
  readonly #options: Omit<NodeOptions, 'name' | 'workflows'>
  readonly #running = new Map<string, ChildProcess>()

  constructor(options: Omit<NodeOptions, 'name' | 'workflows'>) {
    this.#options = options
  }

  get names(): readonly string[] {
    return [...this.#running.keys()]
  }

  /** Resolves when the node serves its share. One that cannot, because NATS is away, is started again until it can. */
  async start(name: string): Promise<void> {
    for (;;) {
      const options = JSON.stringify({ ...this.#options, name })
      const child = fork(join(import.meta.dirname, 'node-process.ts'), [options], {
        execArgv: ['--import', 'tsx'],
      })
      this.#running.set(name, child)
      const outcome = await Promise.race([once(child, 'message'), once(child, 'exit')])
      if (outcome[0] === 'ready' || this.#running.get(name) !== child) return
    }
  }

  /** Kills it as a crash does, and resolves when it is gone. */
  async crash(name: string): Promise<void> {
    const child = this.#running.get(name)
    this.#running.delete(name)
    if (child === undefined || child.exitCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  pause(name: string): void {
    this.#running.get(name)?.kill('SIGSTOP')
  }

  resume(name: string): void {
    this.#running.get(name)?.kill('SIGCONT')
  }

  [Symbol.dispose](): void {
    for (const child of this.#running.values()) child.kill('SIGKILL')
  }
}
