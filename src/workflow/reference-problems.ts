/** What a machine was given under names, by kind. */
export interface Implementations {
  readonly actions: Readonly<Record<string, unknown>>
  readonly actors: Readonly<Record<string, unknown>>
  readonly delays: Readonly<Record<string, unknown>>
  readonly guards: Readonly<Record<string, unknown>>
}

/** An action creator's result: a function that carries its parameters (XState's `raise`, `sendTo`, `spawnChild`, …). */
interface BuiltinAction {
  readonly type: string
  readonly resolve: unknown
  readonly delay?: unknown
  readonly src?: unknown
}

/** What `and`, `or` and `not` make: a function that carries the guards it combines. */
interface CompositeGuard {
  readonly guards?: readonly unknown[]
}

/** What is wrong with an action as written in a machine. The inside of a function cannot be looked at. */
export function actionProblems(action: unknown, implementations: Implementations): string[] {
  if (typeof action === 'function') {
    return 'resolve' in action
      ? builtinProblems(action as unknown as BuiltinAction, implementations)
      : reservedActionProblems(action.name)
  }
  const name = referenceName(action)
  if (name === undefined) return ['an action must be a name, an object with a type, or a function']
  return [...reservedActionProblems(name), ...unresolvedProblems('action', name, implementations.actions)]
}

/** What is wrong with what a machine was given as the action of some name. */
export function implementedActionProblems(action: unknown, implementations: Implementations): string[] {
  if (typeof action !== 'function') return ['must be a function']
  // Its own name does not matter: the effect goes by the one it was given under.
  return 'resolve' in action ? actionProblems(action, implementations) : []
}

/** The driver tells XState's own effects from custom actions by this prefix. */
export function reservedActionProblems(name: string): string[] {
  return name.startsWith('xstate.')
    ? [`action '${name}' is named like XState's own; choose another name`]
    : []
}

function builtinProblems(action: BuiltinAction, implementations: Implementations): string[] {
  switch (action.type) {
    case 'xstate.raise':
    case 'xstate.sendTo':
      return delayProblems(action.delay, implementations)
    case 'xstate.spawnChild':
      return typeof action.src === 'string'
        ? unresolvedProblems('actor', action.src, implementations.actors)
        : [
            'spawned logic needs a name, or it cannot be found again: list it in setup({ actors }) and spawn that',
          ]
    default:
      return []
  }
}

/** What is wrong with a guard as written in a machine; `undefined` means no guard. */
export function guardProblems(guard: unknown, implementations: Implementations): string[] {
  if (guard === undefined) return []
  if (typeof guard === 'function') {
    const { guards = [] } = guard as CompositeGuard
    return guards.flatMap(nested => guardProblems(nested, implementations))
  }
  const name = referenceName(guard)
  if (name === undefined) return ['a guard must be a name, an object with a type, or a function']
  return unresolvedProblems('guard', name, implementations.guards)
}

/** What is wrong with a delay; numbers, functions and no delay at all are fine. */
export function delayProblems(delay: unknown, implementations: Implementations): string[] {
  return typeof delay === 'string' ? unresolvedProblems('delay', delay, implementations.delays) : []
}

/** What is wrong with what an `invoke` runs: a name, or logic written in place. */
export function invokeProblems(src: unknown, implementations: Implementations): string[] {
  return typeof src === 'string'
    ? unresolvedProblems('actor', src, implementations.actors)
    : logicProblems(src)
}

/** What is wrong with something that should be actor logic. */
export function logicProblems(logic: unknown): string[] {
  const { getInitialSnapshot, transition } = (logic ?? {}) as Record<string, unknown>
  return typeof getInitialSnapshot === 'function' && typeof transition === 'function'
    ? []
    : ['must be actor logic, such as a machine or the result of activity() or fromPromise()']
}

function unresolvedProblems(kind: string, name: string, among: Readonly<Record<string, unknown>>): string[] {
  return Object.hasOwn(among, name) && among[name] !== undefined
    ? []
    : [`${kind} '${name}' is not implemented: add it to setup({ ${kind}s })`]
}

function referenceName(reference: unknown): string | undefined {
  if (typeof reference === 'string') return reference
  const type = (reference as { type?: unknown } | null | undefined)?.type
  return typeof type === 'string' ? type : undefined
}
