import type { AnyStateMachine, StateNode } from 'xstate'

import { activitySpecOf } from '../../actors/activity.ts'
import { poolSpecOf } from '../../actors/pool.ts'
import {
  actionProblems,
  delayProblems,
  guardProblems,
  implementedActionProblems,
  invokeProblems,
  logicProblems,
  reservedActionProblems,
} from './reference-problems.ts'
import type { Implementations } from './reference-problems.ts'

/** One thing wrong with a workflow, and where. */
export interface WorkflowProblem {
  /** State node and position, like `order.paying, entry[0]`; inside another machine, the way to it in front. */
  readonly place: string
  readonly message: string
}

type Report = (place: string, messages: readonly string[]) => void

/** The events of XState's own that a machine may name: answers of its children and regions. */
const answerPrefixes = ['xstate.done.actor.', 'xstate.done.state.', 'xstate.error.actor.', 'xstate.snapshot.']

/**
 * Everything in a machine that would fail only once an instance gets there: names without an implementation,
 * states that do not exist, handlers of reserved events, logic that could not be found again after a restart.
 * Descends into machines given as actors and machines invoked in place.
 *
 * @param options of the workflow
 */
export function machineProblems(
  machine: AnyStateMachine,
  options: { readonly persist?: unknown } = {},
): WorkflowProblem[] {
  const problems: WorkflowProblem[] = []
  walkMachine(machine, '', options.persist === 'none', problems, new Set())
  return problems
}

/** True for machines of any copy of XState. */
export function isMachine(logic: unknown): logic is AnyStateMachine {
  const { config, implementations, root } = (logic ?? {}) as Partial<AnyStateMachine>
  return typeof root === 'object' && typeof config === 'object' && typeof implementations === 'object'
}

const permitLost = "with persist 'none' nobody could give its permits back once the process is gone"

function walkMachine(
  machine: AnyStateMachine,
  way: string,
  isVolatile: boolean,
  problems: WorkflowProblem[],
  seen: Set<AnyStateMachine>,
): void {
  // Two may invoke each other, and one may be used twice.
  if (seen.has(machine)) return
  seen.add(machine)

  const implementations: Implementations = machine.implementations
  const report: Report = (place, messages) => {
    problems.push(...messages.map(message => ({ place: `${way}${place}`, message })))
  }
  const descend = (place: string, logic: unknown) => {
    if (isMachine(logic)) walkMachine(logic, `${way}${place} > `, isVolatile, problems, seen)
    if (isVolatile && poolSpecOf(logic) !== undefined) report(place, [`is a pool: ${permitLost}`])
    if (isVolatile && activitySpecOf(logic)?.pool !== undefined) report(place, [`has a pool: ${permitLost}`])
  }
  reportImplementations(implementations, report)
  report(`${machine.id}, context`, contextProblems(machine.config.context))
  walkNode(machine.root, implementations, report, descend)
  for (const [name, logic] of Object.entries(implementations.actors)) descend(`actors.${name}`, logic)
}

/** Each instance gets a copy of a context that is written as an object. */
function contextProblems(context: unknown): string[] {
  try {
    if (typeof context !== 'function') structuredClone(context)
    return []
  } catch (error) {
    return [`cannot be copied for each instance: ${(error as Error).message}`]
  }
}

function reportImplementations(implementations: Implementations, report: Report): void {
  const { actions, actors, delays, guards } = implementations
  for (const [name, action] of defined(actions)) {
    report(`actions.${name}`, [
      ...reservedActionProblems(name),
      ...implementedActionProblems(action, implementations),
    ])
  }
  for (const [name, logic] of defined(actors)) report(`actors.${name}`, logicProblems(logic))
  for (const [name, delay] of defined(delays)) {
    const valid = typeof delay === 'function' || (typeof delay === 'number' && delay >= 0)
    report(`delays.${name}`, valid ? [] : ['must be milliseconds from 0, or a function that returns them'])
  }
  for (const [name, guard] of defined(guards)) report(`guards.${name}`, guardProblems(guard, implementations))
}

/** A key without a value counts as not implemented and is reported where it is used. */
function defined(record: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(record).filter(([, value]) => value !== undefined)
}

function walkNode(
  node: StateNode,
  implementations: Implementations,
  report: Report,
  descend: (place: string, logic: unknown) => void,
): void {
  const { config, id } = node
  const reportActions = (place: string, actions: unknown) => {
    for (const [index, action] of toArray(actions).entries()) {
      report(`${id}, ${place}[${index}]`, actionProblems(action, implementations))
    }
  }

  // The configured ones: to `node.entry` and `node.exit` XState has added its own for each delayed transition.
  reportActions('entry', config.entry)
  reportActions('exit', config.exit)
  for (const { place, guard, actions } of transitionsOf(node)) {
    report(`${id}, ${place}`, guardProblems(guard, implementations))
    reportActions(`${place} actions`, actions)
  }
  for (const descriptor of Object.keys(config.on ?? {})) {
    report(`${id}, on ${descriptor}`, descriptorProblems(descriptor))
  }
  for (const delay of Object.keys(config.after ?? {})) {
    // XState reads the key as a number if it can.
    if (Number.isNaN(Number(delay))) report(`${id}, after ${delay}`, delayProblems(delay, implementations))
  }
  for (const [index, { src }] of toArray(config.invoke as { src?: unknown } | undefined).entries()) {
    report(`${id}, invoke[${index}]`, invokeProblems(src, implementations))
    descend(`${id}, invoke[${index}]`, src)
  }
  report(`${id}, initial`, initialProblems(node))
  if (initialKey(node) !== undefined) reportActions('initial actions', node.initial.actions)
  report(`${id}, target`, historyProblems(node))

  for (const child of Object.values(node.states)) walkNode(child, implementations, report, descend)
}

interface PlacedTransition {
  readonly place: string
  readonly guard: unknown
  readonly actions: unknown
}

function* transitionsOf(node: StateNode): Generator<PlacedTransition> {
  const groups = [
    ...[...node.transitions].map(([descriptor, transitions]) => ({ name: `on ${descriptor}`, transitions })),
    { name: 'always', transitions: node.always ?? [] },
  ]
  for (const { name, transitions } of groups) {
    for (const [index, { actions, guard }] of transitions.entries()) {
      yield { place: transitions.length === 1 ? name : `${name}[${index}]`, guard, actions }
    }
  }
}

function descriptorProblems(descriptor: string): string[] {
  const reserved =
    descriptor.startsWith('xstate.') && !answerPrefixes.some(prefix => descriptor.startsWith(prefix))
  return reserved ? [`event types starting 'xstate.' are reserved; choose another`] : []
}

// XState looks up initial states and history targets only when they are entered, so that a wrong name is noticed
// late. It checks the targets of transitions itself.

function initialProblems(node: StateNode): string[] {
  const { initial } = node.config
  return initial === undefined || initialKey(node) !== undefined
    ? []
    : [`initial state '${typeof initial === 'string' ? initial : initial.target}' does not exist`]
}

/** The key of the initial state, if there is one by that key. */
function initialKey(node: StateNode): string | undefined {
  const { initial } = node.config
  const key: unknown = typeof initial === 'string' ? initial : initial?.target
  return typeof key === 'string' && Object.hasOwn(node.states, key) ? key : undefined
}

function historyProblems(node: StateNode): string[] {
  const { target } = node.config as { target?: unknown }
  if (node.type !== 'history' || typeof target !== 'string') return []
  return stateExists(node, target) ? [] : [`history target '${target}' does not exist`]
}

function stateExists(node: StateNode, target: string): boolean {
  if (!target.startsWith('#')) {
    const keys = target.split('.')
    return keys.reduce<StateNode | undefined>((at, key) => at?.states[key], node.parent) !== undefined
  }
  try {
    node.machine.getStateNodeById(target)
    return true
  } catch {
    // The only thing it throws for.
    return false
  }
}

function toArray<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return []
  return Array.isArray(value) ? (value as readonly T[]) : [value as T]
}
