import type { Log } from '../../src/runtime/log.ts'
import { Node } from '../../src/runtime/node.ts'
import { resolveNodeOptions, type NodeOptions } from '../../src/runtime/options.ts'
import type { Workflow } from '../../src/workflow/define-workflow.ts'
import type { Checker } from './checker.ts'
import { Link, type Weather } from './link.ts'
import { SimProcess } from './process.ts'
import type { SimServer } from './server.ts'
import type { Stage } from './stage.ts'
import { simTransport } from './transport.ts'
import type { World } from './world.ts'

export interface ClusterContext {
  readonly checker: Checker
  readonly logOf: (process: SimProcess) => Log
  readonly options: Pick<NodeOptions, 'drainTimeout' | 'maxResting' | 'passivateAfter'>
  readonly server: SimServer
  readonly stage: Stage
  readonly workflows: readonly Workflow[]
  readonly weather: Weather
  readonly world: World
}

interface Member {
  readonly name: string
  readonly process: SimProcess
  readonly link: Link
  readonly node: Node
}

/** How long after its end a process is started again by whoever looks after it. */
const restartMs = 1_000

/** The nodes, and what happens to them. */
export class Cluster {
  readonly #context: ClusterContext
  #members: Member[] = []
  #spawned = 0

  constructor(context: ClusterContext) {
    this.#context = context
  }

  /** The nodes whose process lives, even if it is stopped. */
  get members(): readonly Member[] {
    this.#members = this.#members.filter(({ process }) => process.isAlive)
    return this.#members
  }

  /** Starts a process; one whose node cannot start ends, and is started again. */
  spawn(name: string): void {
    const { checker, logOf, options, server, stage, weather, workflows, world } = this.#context
    const incarnation = `${name}#${++this.#spawned}`
    const process = new SimProcess(incarnation, world, stage, checker)
    const link = new Link(process, world, weather)
    world.note(`${incarnation} starts`)
    process.deliver(() => {
      const resolved = resolveNodeOptions({ ...options, name, workflows }, '')
      let ids = 0
      const node = new Node(
        resolved,
        simTransport({ checker, link, server }, name, incarnation),
        logOf(process),
        {
          clock: process.clock,
          nextId: () => `${incarnation}-${++ids}`,
        },
      )
      const member = { name, process, link, node }
      this.#members.push(member)
      node.start().then(
        () => world.note(`${incarnation} has started`),
        () => this.crash(process, restartMs),
      )
    })
  }

  /** Kills the process; after that time, if given, one of the same name starts. */
  crash(process: SimProcess, restartAfterMs?: number): void {
    const member = this.members.find(each => each.process === process)
    if (member === undefined) return
    member.link.close()
    process.kill()
    if (restartAfterMs !== undefined) this.#restart(member.name, restartAfterMs)
  }

  /** Stops the node in good order; after that time a process of the same name starts. */
  leave({ name, node, process, link }: Member, restartAfterMs: number): void {
    const { world } = this.#context
    process.deliver(() => {
      world.note(`${process.name} leaves`)
      node.stop().then(
        () => {
          link.close()
          process.kill()
          this.#restart(name, restartAfterMs)
        },
        (error: Error) => world.failed(error),
      )
    })
  }

  /** How many partitions are being served, and what is still in memory. */
  status(): { readonly serving: number; readonly busy: number } {
    let serving = 0
    let busy = 0
    for (const { node } of this.members) {
      const { partitions, resident, activities } = node.status()
      serving += partitions.serving
      busy += resident + activities.running + activities.waiting
    }
    return { serving, busy }
  }

  #restart(name: string, afterMs: number): void {
    this.#context.world.after(afterMs, () => {
      if (!this.members.some(member => member.name === name)) this.spawn(name)
    })
  }
}
