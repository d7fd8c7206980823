import { Worker } from '../../src/runtime/worker.ts'
import { resolveWorkerOptions } from '../../src/runtime/worker-options.ts'
import type { Log } from '../../src/runtime/log.ts'
import type { TaskContext } from '../../src/workflow/remote-activity.ts'
import type { Checker } from './checker.ts'
import { Link, type Weather } from './link.ts'
import type { Job } from './outside.ts'
import { SimProcess } from './process.ts'
import type { SimServer } from './server.ts'
import type { Stage } from './stage.ts'
import { simTaskQueue } from './tasks.ts'
import type { World } from './world.ts'

export interface WorkersContext {
  /** How long after a worker has died another one gets its task. */
  readonly ackWaitMs: number
  readonly checker: Checker
  readonly logOf: (process: SimProcess) => Log
  readonly server: SimServer
  readonly stage: Stage
  readonly weather: Weather
  readonly world: World
}

interface Member {
  readonly name: string
  readonly link: Link
  readonly process: SimProcess
}

/** How often a worker says how far it is with a task. */
const beats = 4

/** How long after its end a worker that could not start is started again. */
const restartMs = 1_000

/** The workers, which do what remote activities ask for, and what happens to them. */
export class Workers {
  readonly #context: WorkersContext
  #members: Member[] = []
  #spawned = 0

  constructor(context: WorkersContext) {
    this.#context = context
  }

  /** Those whose process lives, even if it is stopped. */
  get members(): readonly Member[] {
    return this.#members
  }

  spawn(name: string): void {
    const { ackWaitMs, checker, logOf, server, stage, weather, world } = this.#context
    const process = new SimProcess(`${name}#${++this.#spawned}`, world, stage, checker)
    const link = new Link(process, world, weather)
    const member = { name, link, process }
    this.#members.push(member)
    world.note(`${process.name} starts`)
    const order = async (task: TaskContext<Job>) => {
      const { attempt, idempotencyKey, input, lastHeartbeat } = task
      const { durationMs, failures, tag } = input
      checker.orders.begins(process.name, idempotencyKey, attempt, lastHeartbeat)
      for (let count = 1; count <= beats; count++) {
        checker.orders.beats(idempotencyKey, { attempt, count })
        task.heartbeat({ attempt, count })
        await process.sleep(durationMs / beats)
      }
      checker.orders.ends(process.name, idempotencyKey, attempt, tag)
      if (attempt > failures) return tag
      throw new Error(`attempt ${attempt} fails on purpose`)
    }
    // None is given up: with so many crashes that would be no wonder.
    const options = resolveWorkerOptions({ activities: { order }, concurrency: 2, maxDeliveries: 1_000 })
    process.deliver(() => {
      const tasks = simTaskQueue(link, server, ackWaitMs)
      const transport = { tasks, close: async () => link.close() }
      new Worker(options, transport, logOf(process), process.clock).start().catch(() => {
        this.crash(member, restartMs)
      })
    })
  }

  /** Kills the process; after that time one of the same name starts. */
  crash({ name, link, process }: Member, restartAfterMs: number): void {
    if (!process.isAlive) return
    link.close()
    process.kill()
    this.#members = this.#members.filter(member => member.process !== process)
    this.#context.world.after(restartAfterMs, () => this.spawn(name))
  }
}
