/**
 * One run: nodes, senders and a server in one process and in a time of their own, with everything that goes wrong drawn
 * from the seed. After a while it stops going wrong; then all must come to rest, with every promise kept.
 */
import { pino } from 'pino'

import type { Log } from '../../src/runtime/log.ts'
import type { Workflow } from '../../src/workflow/define-workflow.ts'
import { Bugs } from './bugs.ts'
import { Checker } from './checker.ts'
import { Cluster } from './cluster.ts'
import type { PersistenceName } from './ledger.ts'
import { Link } from './link.ts'
import { Mender } from './mender.ts'
import { Operator, type OperatorContext } from './operator.ts'
import { SimProcess } from './process.ts'
import type { Random } from './random.ts'
import { Sender, type Traffic } from './senders.ts'
import { SimServer } from './server.ts'
import type { Stage } from './stage.ts'
import { drawClimate, Storm, type Disaster } from './storm.ts'
import { simClientTransport } from './transport.ts'
import { Workers } from './workers.ts'
import { World } from './world.ts'

export interface Run {
  readonly seed: number
  /** The same for every run of the seed. */
  readonly hash: number
  readonly steps: number
  readonly simulatedMs: number
  readonly violation: Error | undefined
}

const persistenceChoices = [
  'turn',
  'turn',
  'turn',
  'turn',
  'transition',
  'rest',
  'every',
  'chosen',
] as const satisfies readonly PersistenceName[]

/** After the storm everything must be at rest within this time. */
const restWithinMs = 150_000
const lookEveryMs = 500
/** What was under way when a connection broke may arrive so much later. */
const latestArrivalMs = 5_500

/** @param trace told of everything that happens */
export async function simulate(seed: number, stage: Stage, trace?: (line: string) => void): Promise<Run> {
  const world = new World(seed, trace)
  const scene = new Scene(world, seed, stage)
  let violation: Error | undefined
  try {
    scene.begin()
    await world.run()
  } catch (error) {
    violation = error as Error
  }
  return { seed, hash: world.hash, steps: world.steps, simulatedMs: world.now, violation }
}

class Scene {
  readonly #world: World
  readonly #random: Random
  readonly #server: SimServer
  readonly #checker: Checker
  readonly #storm: Storm
  readonly #cluster: Cluster
  readonly #workers: Workers
  readonly #senders: Sender[] = []
  readonly #senderLinks: Link[] = []
  readonly #operator: Operator
  readonly #mender: Mender
  readonly #nodes: number
  readonly #leaseTtlMs: number
  readonly #persistence: PersistenceName

  constructor(world: World, seed: number, stage: Stage) {
    const { random } = world
    this.#world = world
    this.#random = random
    this.#nodes = random.pick([1, 2, 2, 3, 3, 4])
    this.#leaseTtlMs = random.between(1_500, 6_000)
    const partitions = random.whole(1, 5)
    const prefetch = random.pick([2, 3, 5, 8, 16, 256])
    this.#storm = new Storm(drawClimate(random), world, process => this.#crash(process))
    const capacity = [1, 2, 4, Infinity][seed % 4]
    const options = { capacity, clock: world.clock, leaseTtlMs: this.#leaseTtlMs, partitions, prefetch }
    this.#server = new SimServer(options, this.#storm)
    const persistence = random.pick(persistenceChoices)
    this.#persistence = persistence
    const ledger = stage.ledger(persistence)
    const { disasters, latencyMs } = this.#storm.climate
    const bugs = new Bugs(random, random.chance(0.4) ? random.between(0.02, 0.2) : 0)
    this.#checker = new Checker({
      bugs,
      clocksJump: disasters.includes('jumpClock'),
      latencyMs,
      partitions,
      persistence,
      world,
    })
    this.#cluster = new Cluster({
      checker: this.#checker,
      logOf: process => logOf(process, world),
      options: {
        drainTimeout: random.between(500, 5_000),
        maxResting: [1, 4, 1_000][seed % 3]!,
        passivateAfter: random.between(200, 4_000),
      },
      server: this.#server,
      stage,
      weather: this.#storm,
      workflows: [ledger, stage.chore],
      world,
    })
    this.#workers = new Workers({
      ackWaitMs: random.between(200, 3_000),
      checker: this.#checker,
      logOf: process => logOf(process, world),
      server: this.#server,
      stage,
      weather: this.#storm,
      world,
    })
    this.#addSenders(stage, ledger)
    this.#operator = this.#addOperator(stage)
    this.#mender = this.#addMender(stage, bugs)
  }

  begin(): void {
    const { climate } = this.#storm
    this.#world.note(
      `${this.#nodes} nodes, leases of ${this.#leaseTtlMs} ms, ${this.#persistence}, ${JSON.stringify(climate)}`,
    )
    for (let number = 1; number <= this.#nodes; number++) {
      this.#world.after(this.#random.skewed(0, 3_000), () => this.#cluster.spawn(`n${number}`))
    }
    for (let number = this.#random.whole(1, 2); number > 0; number--) this.#workers.spawn(`w${number}`)
    this.#strikeLater()
    this.#world.after(climate.lastsMs, () => this.#calm())
  }

  #addSenders(stage: Stage, ledger: Workflow): void {
    const traffic = drawTraffic(this.#random)
    for (let number = 1; number <= traffic.senders; number++) {
      const name = `s${number}`
      const process = new SimProcess(name, this.#world, stage, this.#checker)
      const link = new Link(process, this.#world, this.#storm)
      const context = { checker: this.#checker, link, server: this.#server }
      const sender = new Sender(name, {
        checker: this.#checker,
        process,
        traffic,
        transport: simClientTransport(context),
        workflow: ledger,
        world: this.#world,
      })
      this.#senders.push(sender)
      this.#senderLinks.push(link)
      this.#world.after(this.#random.between(0, 500), () =>
        process.deliver(() => {
          sender.run().catch((error: Error) => this.#world.failed(error))
        }),
      )
    }
  }

  #addOperator(stage: Stage): Operator {
    const context = this.#personNamed('operator', stage)
    const operator = new Operator(context)
    this.#letRun(context.process, () => operator.run())
    return operator
  }

  #addMender(stage: Stage, bugs: Bugs): Mender {
    const context = this.#personNamed('mender', stage)
    const mender = new Mender({ ...context, bugs })
    this.#letRun(context.process, () => mender.run())
    return mender
  }

  /** What somebody has who looks after the instances. */
  #personNamed(name: string, stage: Stage): OperatorContext {
    const process = new SimProcess(name, this.#world, stage, this.#checker)
    const link = new Link(process, this.#world, this.#storm)
    const context = { checker: this.#checker, link, server: this.#server }
    this.#senderLinks.push(link)
    return {
      paceMs: this.#random.pick([100, 300, 1_000]),
      process,
      server: this.#server,
      transport: simClientTransport(context),
      world: this.#world,
    }
  }

  #letRun(process: SimProcess, run: () => Promise<void>): void {
    process.deliver(() => {
      run().catch((error: Error) => this.#world.failed(error))
    })
  }

  #strikeLater(): void {
    const { disasters, everyMs } = this.#storm.climate
    if (disasters.length === 0) return
    this.#world.after(-Math.log(1 - this.#random.next()) * everyMs, () => {
      if (this.#storm.isOver) return
      this.#strike(this.#random.pick(disasters))
      this.#strikeLater()
    })
  }

  #strike(disaster: Disaster): void {
    const random = this.#random
    const shortMs = random.skewed(0, 3 * this.#leaseTtlMs)
    if (disaster === 'restartServer') return this.#restartServer()
    if (disaster === 'cutSender') return random.pick(this.#senderLinks).cut(shortMs)
    if (disaster === 'join') return this.#join()
    if (disaster === 'worker') return this.#strikeWorker(shortMs)
    const { members } = this.#cluster
    if (members.length === 0) return
    const member = random.pick(members)
    switch (disaster) {
      case 'crash':
        this.#cluster.crash(member.process, shortMs)
        return
      case 'leave':
        this.#cluster.leave(member, shortMs)
        return
      case 'pause':
        member.process.stop()
        this.#world.after(shortMs, () => member.process.resume())
        return
      case 'twin':
        this.#twin(member, shortMs)
        return
      case 'cut':
        member.link.cut(shortMs)
        return
      case 'jumpClock':
        member.process.setWallOffset(Math.round(random.between(-10_000, 10_000)))
    }
  }

  #strikeWorker(shortMs: number): void {
    const random = this.#random
    const { members } = this.#workers
    if (members.length === 0) return
    const member = random.pick(members)
    const what = random.pick(['crash', 'cut', 'pause'])
    if (what === 'crash') this.#workers.crash(member, shortMs)
    else if (what === 'cut') member.link.cut(shortMs)
    else {
      member.process.stop()
      this.#world.after(shortMs, () => member.process.resume())
    }
  }

  /** Somebody takes a stopped process for dead and starts another in its place. Later it goes on, and is killed. */
  #twin({ name, process }: Cluster['members'][number], stoppedMs: number): void {
    process.stop()
    this.#cluster.spawn(name)
    this.#world.after(stoppedMs, () => process.resume())
    this.#world.after(stoppedMs + this.#random.skewed(0, 3_000), () => {
      if (!this.#storm.isOver) this.#crash(process)
    })
  }

  #join(): void {
    const number = this.#random.whole(1, 6)
    if (!this.#cluster.members.some(({ name }) => name === `n${number}`)) this.#cluster.spawn(`n${number}`)
  }

  #restartServer(): void {
    this.#world.note('the server restarts')
    this.#server.restart(this.#random.chance(0.5) ? this.#random.whole(0, 8) : 0)
    const downMs = this.#random.skewed(10, 3_000)
    const links = [
      ...this.#cluster.members.map(({ link }) => link),
      ...this.#senderLinks,
      ...this.#workers.members.map(({ link }) => link),
    ]
    for (const link of links) if (link.isUp) link.cut(downMs + this.#random.between(0, 300))
  }

  #crash(process: SimProcess): void {
    const restartAfterMs = this.#random.skewed(0, 2 * this.#leaseTtlMs)
    this.#cluster.crash(process, restartAfterMs)
  }

  /** Nothing goes wrong any more, and whoever looks after the nodes has noticed all that has. */
  #calm(): void {
    this.#storm.clearUp()
    const seen = new Set<string>()
    for (const { name, process } of this.#cluster.members.toReversed()) {
      if (seen.has(name)) this.#cluster.crash(process)
      seen.add(name)
      process.resume()
      process.setWallOffset(0)
    }
    for (const { link } of this.#cluster.members) if (!link.isUp) link.cut(0)
    for (const link of this.#senderLinks) if (!link.isUp) link.cut(0)
    for (const { link, process } of this.#workers.members) {
      process.resume()
      if (!link.isUp) link.cut(0)
    }
    if (this.#cluster.members.length === 0) this.#cluster.spawn('n1')
    this.#checker.calm()
    this.#operator.calm()
    this.#mender.calm()
    const calmSince = this.#world.now
    let quietAfterMs = latestArrivalMs
    if (this.#random.chance(0.5)) {
      // Nodes come and go in calm weather too.
      const leavesAfterMs = this.#random.between(0, 5_000)
      quietAfterMs += leavesAfterMs
      this.#world.after(leavesAfterMs, () => this.#strike(this.#random.pick(['crash', 'leave', 'join'])))
    }
    const look = () => {
      const elapsedMs = this.#world.now - calmSince
      const unsettled = elapsedMs < quietAfterMs ? ['messages may be under way'] : this.#unsettled()
      if (unsettled.length === 0) {
        this.#checker.finish(this.#server)
        this.#world.end()
      } else if (elapsedMs > restWithinMs) {
        this.#world.violated(`not at rest after ${restWithinMs} ms: ${unsettled.join('; ')}`)
      } else {
        this.#world.after(lookEveryMs, look)
      }
    }
    look()
  }

  #unsettled(): string[] {
    const unsettled = [...this.#checker.unsettled(this.#server)]
    if (!this.#senders.every(sender => sender.isDone)) unsettled.push('a sender has not sent everything')
    const { partitions } = this.#server.namespace
    const { serving, busy } = this.#cluster.status()
    if (serving !== partitions) unsettled.push(`${serving} of ${partitions} partitions are served`)
    if (busy > 0) unsettled.push(`${busy} instances and activities are in memory`)
    return unsettled
  }
}

function drawTraffic(random: Random): Traffic {
  const weight = (usual: number) => (random.chance(0.3) ? 0 : random.between(0, 2 * usual))
  return {
    senders: random.whole(1, 3),
    instances: random.whole(1, 6),
    eventsEach: random.whole(4, 20),
    withinMs: random.between(1_000, 9_000),
    weights: {
      NOTE: 2,
      TIMER: weight(2),
      CANCEL: weight(0.5),
      RANG: 0,
      JOB: weight(2),
      ERRAND: weight(1),
      CHORE: weight(0.7),
      FLEET: weight(0.5),
      ORDER: weight(1),
      PERMIT: weight(1.5),
      GRANTED: 0,
      EMIT: weight(1),
      ACT: weight(1),
      HEARD: 0,
      TELL: weight(1),
      TOLD: 0,
      CLOSE: weight(0.1),
      MISFIT: weight(0.1),
      AGAIN: weight(0.2),
    },
  }
}

function logOf(process: SimProcess, world: World): Log {
  if (!world.isTraced) return pino({ level: 'silent' })
  const write = (line: string) => world.note(`  ${process.name} logs ${line.trimEnd()}`)
  return pino({ base: null, level: 'debug', timestamp: false }, { write })
}
