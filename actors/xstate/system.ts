import type { AnyActorRef } from 'xstate'

import { addressOf, checkPosted } from '../instance-ref.ts'
import type { ActorPath } from '../address.ts'
import type { EventObject } from '../event.ts'
import type { TreeEffect } from './tree-effect.ts'

/** What the system hands on: to the tree it belongs to, or to whoever runs a leaf. */
export interface TreeHooks {
  adopt(ref: any): void
  relay(target: any, event: EventObject): void
  effect(effect: TreeEffect): void
  pathOf(ref: AnyActorRef): ActorPath
  transitioned(): void
  /** The actor has ended with an error that is not the failure of another one. */
  threw(ref: any): void
}

/** The actor system of one tree, as XState's actors expect it: it holds no clock and runs nothing. */
export class TreeSystem {
  readonly scheduler: {
    schedule(source: any, target: any, event: EventObject, delay: number, id?: string): void
    cancel(source: any, id: string): void
    cancelAll(source: any): void
  }
  readonly #hooks: TreeHooks
  readonly #nextNumber: () => number | string
  /** By system id; most systems have none. */
  #keyed: Map<string, any> | undefined
  /** Snapshots of machines that ended because they did not handle the failure of a child. */
  #bereft: WeakSet<object> | undefined

  constructor(hooks: TreeHooks, nextNumber: () => number | string) {
    this.#hooks = hooks
    this.#nextNumber = nextNumber
    this.scheduler = {
      schedule: (source, target, event, delay, id = `timer:${nextNumber()}`) => {
        const owner = hooks.pathOf(source)
        const to = addressOf(target)
        const path = to === undefined ? hooks.pathOf(target) : ''
        if (to !== undefined) checkPosted(event)
        if (Number.isNaN(delay)) throw new TypeError(`the delay of '${event.type}' is no number: ${delay}`)
        hooks.effect({ type: 'setTimer', owner, id, target: path, to, event, delayMs: delay })
      },
      cancel: (source, id) => hooks.effect({ type: 'cancelTimer', owner: hooks.pathOf(source), id }),
      cancelAll: source => hooks.effect({ type: 'cancelTimers', owner: hooks.pathOf(source) }),
    }
  }

  _bookId(): string {
    return `x:${this.#nextNumber()}`
  }

  _register(): void {}

  _unregister(ref: any): void {
    if (this.#keyed === undefined) return
    for (const [systemId, keyed] of this.#keyed) if (keyed === ref) this.#keyed.delete(systemId)
  }

  _set(systemId: string, ref: any): void {
    this.#keyed ??= new Map()
    const holder = this.#keyed.get(systemId)
    if (holder !== undefined && holder !== ref) {
      throw new Error(`Actor with system ID '${systemId}' already exists.`)
    }
    this.#keyed.set(systemId, ref)
  }

  get(systemId: string): any {
    return this.#keyed?.get(systemId)
  }

  getAll(): Record<string, any> {
    return Object.fromEntries(this.#keyed ?? [])
  }

  _sendInspectionEvent(event: any): void {
    if (event.type === '@xstate.actor') this.#hooks.adopt(event.actorRef)
    else if (event.type !== '@xstate.microstep') return
    else if (event._transitions.length > 0) this.#hooks.transitioned()
    else if (event.snapshot.status === 'error') (this.#bereft ??= new WeakSet()).add(event.snapshot)
  }

  _relay(source: any, target: any, event: EventObject): void {
    // The last thing that an actor tells when something in it has thrown.
    const snapshot = source?._snapshot
    if (snapshot?.status === 'error' && this.#bereft?.has(snapshot) !== true) this.#hooks.threw(source)
    this.#hooks.relay(target, event)
  }
}

/** What XState hands to the logic of an actor. `actionExecutor` is called unbound and replaced for a while. */
export class TreeScope {
  readonly self: any
  readonly id: string
  readonly sessionId: string
  readonly system: any
  readonly logger: (...values: unknown[]) => void
  readonly emit: (event: EventObject) => void
  actionExecutor: (action: any) => void

  constructor(
    ref: any,
    owner: ActorPath,
    executor: (action: any) => void,
    effect: (effect: TreeEffect) => void,
  ) {
    this.self = ref
    this.id = ref.id
    this.sessionId = ref.sessionId
    this.system = ref.system
    this.logger = (...values) => effect({ type: 'log', owner, values })
    this.emit = event => effect({ type: 'emit', event })
    this.actionExecutor = executor
  }

  defer(run: () => void): void {
    this.self._deferred.push(run)
  }

  stopChild(child: any): void {
    child._stop()
  }
}
