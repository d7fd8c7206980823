import { setTimeout as pause } from 'node:timers/promises'

import { partitionsFor } from '../../actors/assignment.ts'
import { NodeProcess } from '../node-process.ts'
import type { MeasureOrder, Measures, ServedNews, ServedOptions } from '../served-node.ts'

type Node = NodeProcess<MeasureOrder, ServedNews>

const lookEveryMs = 50
const stuckAfterMs = 120_000

/**
 * Two nodes: `steady`, which is measured and lives as long as the run, and `mortal`, which is killed again and again, so
 * that partitions go to and fro between the two.
 */
export class Nodes implements AsyncDisposable {
  readonly #options: Omit<ServedOptions, 'name'>
  readonly #interrupted: AbortSignal
  readonly #running = new Map<string, Node>()

  private constructor(options: Omit<ServedOptions, 'name'>, interrupted: AbortSignal) {
    this.#options = options
    this.#interrupted = interrupted
  }

  /** Resolves when both serve their share. */
  static async start(options: Omit<ServedOptions, 'name'>, interrupted: AbortSignal): Promise<Nodes> {
    const nodes = new Nodes(options, interrupted)
    await nodes.#start('steady')
    await nodes.#start('mortal')
    await nodes.settle()
    return nodes
  }

  get steadyPid(): number {
    return this.#running.get('steady')!.pid
  }

  /** Kills the mortal one, and starts it again at once. */
  async restart(): Promise<void> {
    await this.#running.get('mortal')!.kill()
    await this.#start('mortal')
  }

  /** Kills the mortal one, and starts it again once the other has taken over all that it had. */
  async lose(): Promise<void> {
    await this.#running.get('mortal')!.kill()
    this.#running.delete('mortal')
    await this.settle()
    await this.#start('mortal')
  }

  /**
   * Waits until each node that lives serves the partitions that are its share.
   *
   * @throws Error when they do not for two minutes
   */
  async settle(): Promise<void> {
    const names = [...this.#running.keys()]
    const { partitions } = this.#options
    const wrong = await this.#reach(async () => {
      const all = await Promise.all(
        names.map(async name => {
          const { partitions: serving } = await this.measure(name, false)
          const share = partitionsFor(name, names, partitions).size
          return serving === share ? [] : [`${name} serves ${serving} partitions instead of ${share}`]
        }),
      )
      return all.flat()
    })
    if (wrong.length > 0) throw new Error(wrong.join('; '))
  }

  /** Waits until no instance is in memory and no activity runs; answers which still are after two minutes. */
  rest(): Promise<readonly string[]> {
    return this.#reach(async () => {
      const all = await Promise.all(
        [...this.#running.keys()].map(async name => {
          const { activities, resident } = await this.measure(name, false)
          const isEmpty = activities === 0 && resident === 0
          return isEmpty ? [] : [`${name} still has ${resident} instances and ${activities} activities`]
        }),
      )
      return all.flat()
    })
  }

  async measure(name: string, gc: boolean): Promise<Measures> {
    return (await this.#running.get(name)!.ask({ type: 'measure', gc }, 'measured')).measures
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running.values()].map(node => node.kill()))
  }

  async #start(name: string): Promise<void> {
    const node: Node = new NodeProcess('soak/node', { ...this.#options, name }, this.#interrupted)
    this.#running.set(name, node)
    await node.next('serving')
  }

  /** Looks until nothing is wrong; answers what still is after two minutes. */
  async #reach(look: () => Promise<readonly string[]>): Promise<readonly string[]> {
    const giveUpAt = performance.now() + stuckAfterMs
    for (;;) {
      const wrong = await look()
      if (wrong.length === 0 || performance.now() > giveUpAt) return wrong
      await pause(lookEveryMs, undefined, { signal: this.#interrupted })
    }
  }
}
