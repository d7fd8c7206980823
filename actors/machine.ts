import { StateMachine, type AnyStateMachine, type StateNode } from 'xstate'

import { perTurn, type Persistence } from './persistence.ts'
import { copierOf } from './plain-tree.ts'

/** A machine made fit to run durably, with a stable name for each of its inline actions. */
export interface PreparedMachine {
  readonly machine: AnyStateMachine
  /** Where each inline action function stands in the machine, e.g. `inline:order.paying.entry.0`. */
  readonly inlineActions: ReadonlyMap<unknown, string>
}

/** Microsteps one event may cause before its machine counts as looping; a machine's own setting wins. */
const maxIterations = 10_000

/**
 * The prepared form of every machine a workflow contains, made once per machine: the root, machines given as
 * actors, machines invoked inline.
 */
export class PreparedMachines {
  readonly #prepared = new Map<AnyStateMachine, PreparedMachine>()

  /** The prepared form; preparing a prepared machine answers itself. */
  of(machine: AnyStateMachine): PreparedMachine {
    let prepared = this.#prepared.get(machine)
    if (prepared === undefined) {
      prepared = prepare(machine)
      this.#prepared.set(machine, prepared)
      this.#prepared.set(prepared.machine, prepared)
    }
    return prepared
  }
}

/**
 * XState shares a static context object between all actors of a machine, and never ends an eventless loop
 * unless told to. Both would let one instance harm others, so the context is cloned at every start and
 * the iterations are bounded.
 */
function prepare(original: AnyStateMachine): PreparedMachine {
  const { context } = original.config
  const config = {
    ...original.config,
    options: { maxIterations, ...original.config.options },
    ...(typeof context === 'object' && context !== null ? { context: copierOf(context) } : {}),
  }
  const machine: AnyStateMachine = new StateMachine(config, original.implementations)
  const inlineActions = new Map<unknown, string>()
  nameInlineActions(machine.root, inlineActions)
  return { machine, inlineActions }
}

/** Names every function found among the actions of a node and its descendants by its place. */
function nameInlineActions(node: StateNode, names: Map<unknown, string>): void {
  const name = (actions: readonly unknown[], place: string) => {
    for (const [index, action] of actions.entries()) {
      if (typeof action === 'function') names.set(action, `inline:${node.id}.${place}.${index}`)
    }
  }
  name(node.entry, 'entry')
  name(node.exit, 'exit')
  for (const [descriptor, transitions] of node.transitions) {
    for (const [index, transition] of transitions.entries()) {
      name(transition.actions, `on.${descriptor}.${index}`)
    }
  }
  for (const [index, transition] of (node.always ?? []).entries()) name(transition.actions, `always.${index}`)
  if (node.config.initial !== undefined) name(node.initial.actions, 'initial')
  for (const child of Object.values(node.states)) nameInlineActions(child, names)
}

/** A workflow as the actors see it. */
export interface PreparedWorkflow {
  readonly name: string
  readonly version: number
  readonly machine: AnyStateMachine
  readonly machines: PreparedMachines
  readonly persistence: Persistence
  readonly onError: OnError
}

/** What becomes of an instance in whose machine something throws. */
export type OnError = 'deadLetter' | 'fail' | 'suspend'

/** Prepares a workflow's machine and, as they are met, the machines inside it. */
export function prepareWorkflow(workflow: {
  readonly name: string
  readonly version: number
  readonly machine: AnyStateMachine
  /** Default: a revision for every turn. */
  readonly persistence?: Persistence
  /** Default `suspend`. What is never stored cannot be suspended: it fails. */
  readonly onError?: OnError
}): PreparedWorkflow {
  const machines = new PreparedMachines()
  const { name, version, persistence = perTurn } = workflow
  const onError = persistence.isStored ? (workflow.onError ?? 'suspend') : 'fail'
  return { name, version, machine: machines.of(workflow.machine).machine, machines, persistence, onError }
}
