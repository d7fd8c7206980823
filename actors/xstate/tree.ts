/**
 * This folder alone touches the inside of XState (pinned: 5.33.3).
 *
 * An {@link ActorTree} is one instance's system of actors: the root machine, its nested machines and its
 * transition logic, driven inside the record. XState's own `Actor` runs each of them, so that order and nesting
 * are XState's, but with an ActorScope and an actor system of ours: nothing runs during a step, every
 * effect comes out as data. Leaf logic (promise, callback, observable) is never started in here; the tree only
 * says that it must run, and takes its results.
 *
 * What it relies on, beyond XState's public types:
 * - the actor system's `_sendInspectionEvent({ type: '@xstate.actor' })` is called in the constructor of an
 *   Actor before its initial snapshot is computed: here the scope is put in, or a leaf made inert;
 * - built-in actions do their work in `defer`red functions, which `Actor` runs once its snapshot has moved;
 * - an actor whose step has thrown tells its parent of its error, with a snapshot of status `error`; one that ends for
 *   not handling the error of a child has a `@xstate.microstep` inspected with that very snapshot before;
 * - one that makes more than `maxIterations` transitions for one event throws `Infinite loop detected: …`;
 * - `_send`, `_stop`, `_snapshot`, `_processingStatus`, `_parent`, `_syncSnapshot` of `Actor`.
 * The conformance suite fails if any of this changes.
 */
import {
  createActor,
  type AnyActorLogic,
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
} from 'xstate'

import { RuntimeError } from '../errors.ts'
import { addressOf, checkPosted, instanceRefOf } from '../instance-ref.ts'
import type { PreparedMachines } from '../machine.ts'
import type { ActorPath } from '../address.ts'
import type { EventObject } from '../event.ts'
import type { PersistedSnapshot } from '../snapshot.ts'
import { makeInert } from './inert-leaf.ts'
import type { LeafOutcome } from '../leaf-outcome.ts'
import { isLeaf, isMachine } from './logic.ts'
import { goneRef, marksOf, persist } from './persist.ts'
import { StepWork } from './step-work.ts'
import { TreeScope, TreeSystem } from './system.ts'
import type { ActionFunction, TreeEffect } from './tree-effect.ts'

export interface TreeOptions {
  /** Session id of the root, `workflow/id`; children's are built on it. */
  readonly address: string
  readonly machines: PreparedMachines
  /** Numbers that this instance has never handed out before. */
  readonly nextNumber: () => number
  /**
   * Takes an event sent to an actor of the tree outside a step, as a custom action does with `self.send()`
   * after the commit.
   */
  readonly onOutsideEvent: (path: ActorPath, event: EventObject) => void
}

/** What has ended the root: it was thrown in a step, by that actor or for it. */
export interface Thrown {
  readonly actor: ActorPath
  readonly error: unknown
}

/** In place of a root that has not begun. */
function unborn(): any {
  const root = {
    _snapshot: { status: 'active', children: {} },
    getSnapshot: () => root._snapshot,
    _send() {},
    _stop() {
      root._snapshot = { ...root._snapshot, status: 'stopped' }
    },
  }
  return root
}

export class ActorTree {
  readonly #options: TreeOptions
  readonly #system: TreeSystem
  readonly #host: { readonly system: TreeSystem; readonly sessionId: string }
  #root: any = unborn()
  readonly #work = new StepWork()
  #effects: TreeEffect[] = []
  #stepping = false
  #muted = false
  #restored = 0
  #transitioned = false
  /** What was thrown in the last step. */
  readonly #threw: Thrown[] = []

  private constructor(options: TreeOptions) {
    this.#options = options
    this.#system = new TreeSystem(
      {
        adopt: ref => this.#adopt(ref),
        relay: (target, event) => this.#relay(target, event),
        effect: effect => this.#effect(effect),
        pathOf: ref => this.#pathOf(ref),
        transitioned: () => {
          this.#transitioned = true
        },
        threw: ref => {
          if (this.#muted) return
          this.#threw.push({ actor: this.#pathOf(ref), error: ref._snapshot.error })
          this.#work.threw(ref)
        },
      },
      // To be restored changes nothing: what is stepped again from the same record hands out the same numbers.
      () => (this.#muted ? `r${++this.#restored}` : options.nextNumber()),
    )
    this.#host = { system: this.#system, sessionId: 'host' }
  }

  /** One in which nothing has begun. */
  static blank(options: TreeOptions): ActorTree {
    return new ActorTree(options)
  }

  /**
   * Brings an instance back as it was. Nothing is replayed and no effect comes out. The snapshot may be changed
   * by XState: do not use it afterwards.
   *
   * @throws Error when the snapshot does not fit the machine
   */
  static restore(machine: AnyStateMachine, snapshot: PersistedSnapshot, options: TreeOptions): ActorTree {
    const tree = new ActorTree(options)
    tree.#muted = true
    const marks = marksOf(snapshot)
    tree.#step(() => {
      const { status } = snapshot
      tree.#root = tree.#createRoot(machine, { snapshot })
      // XState makes a failed actor of what it cannot restore.
      if (status !== tree.status) throw tree.#root.getSnapshot().error
      for (const { holder, key, session, id } of marks)
        holder[key] = tree.#refOf(session) ?? goneRef(id, session)
      tree.#root.start()
    })
    tree.#muted = false
    return tree
  }

  /** Starts a new instance of the machine. A machine whose start throws comes out with status `error`. */
  begin(machine: AnyStateMachine, input: unknown): void {
    this.#step(() => {
      this.#root = this.#createRoot(machine, { input })
      this.#root.start()
    })
  }

  get status(): PersistedSnapshot['status'] {
    return this.#root.getSnapshot().status
  }

  /** What has ended the root in the last step, if that was an error that something threw and nobody handled. */
  get thrown(): Thrown | undefined {
    const { status, error } = this.#root.getSnapshot()
    return status === 'error' ? this.#threw.find(thrown => thrown.error === error) : undefined
  }

  /** The live snapshot of the root. */
  get snapshot(): AnyMachineSnapshot {
    return this.#root.getSnapshot()
  }

  /**
   * Hands an event to an actor of the tree and runs everything to quiescence.
   *
   * @returns whether it changed anything: false when no transition was enabled
   */
  send(path: ActorPath, event: EventObject): boolean {
    return this.#step(() => this.#find(path)?._send(event))
  }

  /**
   * Ends a leaf with its outcome, which its parent receives as a done or error event.
   *
   * @returns whether it changed anything: false when no transition was enabled
   */
  settle(path: ActorPath, outcome: LeafOutcome): boolean {
    const leaf = this.#find(path)
    if (leaf === undefined) return false
    const { id } = leaf
    leaf._snapshot = { ...leaf._snapshot, ...outcome }
    this.#system._unregister(leaf)
    const event =
      outcome.status === 'done'
        ? { type: `xstate.done.actor.${id}`, output: outcome.output, actorId: id }
        : { type: `xstate.error.actor.${id}`, error: outcome.error, actorId: id }
    return this.#step(() => leaf._parent._send(event))
  }

  /**
   * Hands an event of a leaf to its parent.
   *
   * @returns whether it changed anything: false when no transition was enabled
   */
  sendFrom(path: ActorPath, event: EventObject): boolean {
    const leaf = this.#find(path)
    return leaf !== undefined && this.#step(() => leaf._parent._send(event))
  }

  /**
   * Moves the visible value of an observable leaf; a parent that invoked it with `onSnapshot` is told.
   *
   * @returns whether it changed anything: false when no transition was enabled
   */
  moveLeaf(path: ActorPath, context: unknown): boolean {
    const leaf = this.#find(path)
    if (leaf === undefined) return false
    leaf._snapshot = { ...leaf._snapshot, context }
    if (!leaf._syncSnapshot) return false
    const event = { type: `xstate.snapshot.${leaf.id}`, snapshot: leaf._snapshot }
    return this.#step(() => leaf._parent._send(event))
  }

  /** Stops every actor as XState does, exit actions included. Answers true. */
  cancel(): boolean {
    return this.#step(() => this.#root._stop())
  }

  /** Ends the root with that error. Its actors are left as they are. */
  end(error: unknown): void {
    this.#root._snapshot = { ...this.#root._snapshot, status: 'error', error }
  }

  /** The effects since the last call. */
  takeEffects(): readonly TreeEffect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  /** The snapshot as plain data. Parts of it are shared with the live actors: encode it, do not change it. */
  persist(): PersistedSnapshot {
    return persist(this.#root.getSnapshot())
  }

  /** The context of an actor; undefined when there is no such actor. */
  contextOf(path: ActorPath): unknown {
    return this.#find(path)?.getSnapshot().context
  }

  /** The logic of an actor; undefined when there is no such actor. */
  logicOf(path: ActorPath): AnyActorLogic | undefined {
    return this.#find(path)?.logic
  }

  /**
   * Runs a custom action after its commit, as XState would have during the step. Events it sends to `self` go
   * to `onOutsideEvent`.
   */
  runAction(
    owner: ActorPath,
    exec: ActionFunction,
    args: { readonly context: unknown; readonly event: EventObject; readonly params: unknown },
  ): unknown {
    const self = this.#find(owner)
    return exec({ context: args.context, event: args.event, self, system: self?.system }, args.params)
  }

  /** The function of an action named in a record by an earlier process; undefined when it is gone. */
  findAction(owner: ActorPath, name: string): ActionFunction | undefined {
    const machine = this.#find(owner)?.logic
    if (!isMachine(machine)) return undefined
    const named = machine.implementations.actions[name]
    if (typeof named === 'function') return named as ActionFunction
    for (const [action, place] of this.#options.machines.of(machine).inlineActions) {
      if (place === name) return action as ActionFunction
    }
    return undefined
  }

  #createRoot(machine: AnyStateMachine, options: { input?: unknown; snapshot?: PersistedSnapshot }): any {
    return createActor(machine, {
      id: this.#options.address,
      parent: this.#host as any,
      input: options.input as any,
      snapshot: options.snapshot as any,
    })
  }

  #step(run: () => void): boolean {
    this.#stepping = true
    this.#transitioned = false
    this.#threw.length = 0
    this.#work.begin()
    try {
      run()
    } finally {
      this.#stepping = false
    }
    if (this.#work.endless !== undefined) this.#fail(this.#work.endless)
    // A step that throws ends the instance without a transition.
    return this.#transitioned || this.status !== 'active'
  }

  /** Makes an actor that XState is constructing one of ours, before its initial snapshot exists. */
  #adopt(ref: any): void {
    const { address, machines } = this.#options
    if (ref._parent === this.#host) {
      ref.sessionId = address
    } else {
      if (typeof ref.src !== 'string') {
        throw new RuntimeError(
          'WORKFLOW_INVALID',
          `actor '${ref.id}' was spawned from unnamed logic: name it in setup({ actors }) so that it can be restored`,
          { fields: { actor: ref.id } },
        )
      }
      ref.sessionId = `${ref._parent.sessionId}/${escapeId(ref.id)}`
    }
    if (!this.#muted) this.#work.spawn(ref)
    if (isMachine(ref.logic)) ref.logic = machines.of(ref.logic).machine
    const path = this.#pathOf(ref)
    const effect = (asked: TreeEffect) => this.#effect(asked)
    if (isLeaf(ref.logic)) {
      makeInert(ref, { path, effect, tell: event => this.#relay(ref._parent, event) })
    } else {
      ref._actorScope = new TreeScope(ref, path, this.#captureActions(ref, path), effect)
    }
  }

  #captureActions(ref: any, owner: ActorPath): (action: any) => void {
    return action => {
      if (action.exec === undefined) return
      if (action.type.startsWith('xstate.')) {
        action.exec(action.info, action.params)
        return
      }
      const { implementations } = ref.logic
      const inline = this.#options.machines.of(ref.logic).inlineActions.get(action.exec)
      const named = implementations.actions[action.type] === action.exec ? action.type : undefined
      this.#effect({
        type: 'action',
        owner,
        name: named ?? inline,
        params: action.params,
        event: action.info.event,
        context: action.info.context,
        exec: action.exec,
      })
    }
  }

  #relay(target: any, event: EventObject): void {
    // The root's own done or error event: its snapshot says the same.
    if (target === this.#host || this.#muted) return
    const address = addressOf(target)
    if (address !== undefined) this.#effect({ type: 'post', target: address, event: checkPosted(event) })
    else if (!this.#stepping) this.#options.onOutsideEvent(this.#pathOf(target), event)
    // Else it is dropped: with nothing new to take, every actor comes to rest.
    else if (this.#work.mayDeliver(target, event.type)) target._send(event)
  }

  /** Ends the instance whatever its actors would make of the error: one that handled it could go on for ever. */
  #fail(error: RuntimeError): void {
    this.end(error)
    const actor = String(error.fields['actor']).slice(this.#options.address.length + 1)
    this.#threw.push({ actor, error })
    // Of a step that does not end only the failure counts: its effects would have no end either.
    this.#effects = []
  }

  #effect(effect: TreeEffect): void {
    if (!this.#muted) this.#effects.push(effect)
  }

  #pathOf(ref: AnyActorRef): ActorPath {
    return ref.sessionId.slice(this.#options.address.length + 1)
  }

  /** Whom a reference stored in the context stood for. */
  #refOf(session: string): any {
    return instanceRefOf(session) ?? this.#find(session.slice(this.#options.address.length + 1))
  }

  #find(path: ActorPath): any {
    let ref = this.#root
    if (path === '') return ref
    for (const segment of path.split('/')) {
      const children = ref?.getSnapshot().children
      if (children === undefined) return undefined
      const id = segment.includes('%') ? unescapeId(segment) : segment
      // A child spawned without an id is filed under another key than its id.
      ref = children[id] ?? Object.values<any>(children).find(child => child.id === id)
    }
    return ref
  }
}

function escapeId(id: string): string {
  return id.replaceAll('%', '%25').replaceAll('/', '%2F')
}

function unescapeId(segment: string): string {
  return segment.replaceAll('%2F', '/').replaceAll('%25', '%')
}
