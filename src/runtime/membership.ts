/**
 * This node among the nodes of its namespace: says three times in a lease's time that it is alive and what it stays away
 * from, and tells who else is and what they stay away from, whenever that changes.
 */
import type { Avoided } from '../../actors/assignment.ts'
import type { Clock, HeartbeatListener, Heartbeats, TimerHandle } from '../../actors/ports.ts'
import { Roster } from '../../actors/roster.ts'
import type { Log } from './log.ts'

export interface MembershipContext {
  readonly clock: Clock
  readonly heartbeats: Heartbeats
  readonly log: Log
  readonly name: string
  /** How long a node counts as alive after its last heartbeat. */
  readonly ttlMs: number
  /**
   * The names of the nodes alive, sorted, this one among them, and what the others stay away from. Told on joining and at
   * every change.
   */
  readonly changed: (names: readonly string[], avoided: Avoided) => void
}

export class Membership {
  readonly #context: MembershipContext
  readonly #roster: Roster
  #told = ''
  #toldAlive = ''
  #avoided: readonly number[] = []
  #isJoined = false
  #stopListening = () => {}
  #beatTimer: TimerHandle | undefined
  #silenceTimer: TimerHandle | undefined

  constructor(context: MembershipContext) {
    this.#context = context
    this.#roster = new Roster(context.name, context.ttlMs)
  }

  /**
   * Begins; resolved once everyone alive is known and has been told.
   *
   * @throws whatever the heartbeats throw
   */
  async join(): Promise<void> {
    const { clock, heartbeats } = this.#context
    const listener: HeartbeatListener = {
      alive: (name, agoMs, avoided) => {
        this.#roster.heard(name, clock.monotonic(), agoMs, avoided)
        this.#tell()
      },
      left: name => {
        this.#roster.left(name)
        this.#tell()
      },
    }
    this.#stopListening = await heartbeats.listen(listener, () => heartbeats.beat(this.#avoided))
    this.#isJoined = true
    this.#tell()
    this.#beatLater()
  }

  /** Says from now on, at once for the first time, that this node stays away from these partitions. */
  avoid(partitions: readonly number[]): void {
    this.#avoided = partitions
    if (this.#isJoined) this.#beat()
  }

  /** Says that this node leaves, and tells nothing more. Never rejects: unsaid, the others notice it a little later. */
  async leave(): Promise<void> {
    this.#isJoined = false
    this.#beatTimer?.cancel()
    this.#silenceTimer?.cancel()
    this.#stopListening()
    try {
      await this.#context.heartbeats.leave()
    } catch (error) {
      this.#context.log.warn({ err: error }, 'the other nodes could not be told that this one leaves')
    }
  }

  #tell(): void {
    if (!this.#isJoined) return
    const { changed, clock, log } = this.#context
    const names = this.#roster.alive(clock.monotonic())
    const { avoided } = this.#roster
    this.#armSilence()
    const alive = names.join(',')
    const key = [alive, ...names.map(name => [...(avoided.get(name) ?? [])].join(' '))].join(',')
    if (key === this.#told) return
    if (alive !== this.#toldAlive) log.info({ nodes: names }, 'nodes alive')
    this.#told = key
    this.#toldAlive = alive
    changed(names, avoided)
  }

  #armSilence(): void {
    const { clock } = this.#context
    const now = clock.monotonic()
    const silence = this.#roster.nextSilence(now)
    this.#silenceTimer?.cancel()
    if (silence !== undefined) this.#silenceTimer = clock.setTimer(silence - now, () => this.#tell())
  }

  #beat(): void {
    const { heartbeats, log } = this.#context
    heartbeats.beat(this.#avoided).catch((error: unknown) => {
      log.warn({ err: error }, 'the other nodes could not be told that this one is alive')
    })
  }

  #beatLater(): void {
    const { clock, ttlMs } = this.#context
    this.#beatTimer = clock.setTimer(ttlMs / 3, () => {
      this.#beat()
      if (this.#isJoined) this.#beatLater()
    })
  }
}
