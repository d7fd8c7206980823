import { types } from 'node:util'
import { isActorRef } from '../../actors/actor-ref.ts'
import { RuntimeError } from '../../actors/errors.ts'

/**
 * How deep values may nest, containers counted. Far below what the stack allows, so that what could be
 * written can be read from any place in the program.
 */
export const MAX_DEPTH = 500

/**
 * True for objects that would silently come back as something else: those whose content nobody can look at, and
 * references to actors.
 */
export function isOpaque(object: object): boolean {
  return (
    isActorRef(object) ||
    types.isPromise(object) ||
    object instanceof WeakMap ||
    object instanceof WeakSet ||
    object instanceof WeakRef
  )
}

/**
 * The error that says what in `value` cannot be stored and where. Slow and thorough: only called once
 * encoding has failed.
 *
 * @param cause what the encoder stumbled over, kept when nothing better can be said
 * @param at what the value is called: each path begins with it
 */
export function refusal(value: unknown, cause: unknown, at = ''): RuntimeError {
  try {
    const found = findUnstorable(value, at, new Map())
    if (found !== undefined) return unsupported(found.path, found.reason, undefined)
  } catch (error) {
    return unsupported(at, `cannot be read: ${String(error)}`, error)
  }
  return unsupported(at, `cannot be encoded: ${String(cause)}`, cause)
}

interface Finding {
  readonly path: string
  readonly reason: string
}

function unsupported(path: string, reason: string, cause: unknown): RuntimeError {
  return new RuntimeError('VALUE_UNSUPPORTED', `${path === '' ? 'the value' : path} ${reason}`, {
    ...(cause !== undefined && { cause }),
    fields: { path, reason },
  })
}

/** Depth first in the order of encoding. `ancestors` maps each object around this place to its path. */
function findUnstorable(value: unknown, path: string, ancestors: Map<object, string>): Finding | undefined {
  if (typeof value === 'function') return { path, reason: 'is a function, which cannot be stored' }
  if (typeof value === 'symbol') return { path, reason: 'is a symbol, which cannot be stored' }
  if (typeof value !== 'object' || value === null) return undefined
  if (isActorRef(value)) return { path, reason: actorReason(value.id) }
  if (isOpaque(value)) return { path, reason: `is a ${value.constructor.name}, which cannot be stored` }
  const earlier = ancestors.get(value)
  if (earlier !== undefined) {
    return { path, reason: `refers back to ${earlier === '' ? 'the value' : earlier} that contains it` }
  }
  if (ancestors.size >= MAX_DEPTH) return { path, reason: `nests deeper than ${MAX_DEPTH} levels` }
  ancestors.set(value, path)
  for (const [step, child] of partsOf(value)) {
    const found = findUnstorable(child, path === '' ? step.replace(/^\./, '') : path + step, ancestors)
    if (found !== undefined) return found
  }
  ancestors.delete(value)
  return undefined
}

function actorReason(id: string): string {
  return `is a reference to an actor, which only objects and lists in a context can hold: use its id '${id}' instead`
}

/** What an object contains, each with the expression that leads to it. */
function* partsOf(object: object): Iterable<readonly [string, unknown]> {
  if (Array.isArray(object)) {
    for (const [index, item] of object.entries()) yield [`[${index}]`, item]
  } else if (object instanceof Map) {
    let index = 0
    for (const [key, item] of object as Map<unknown, unknown>) {
      yield [`.keys()[${index++}]`, key]
      yield [typeof key === 'object' ? `.values()[${index - 1}]` : `.get(${inspectKey(key)})`, item]
    }
  } else if (object instanceof Set) {
    for (const [index, item] of [...(object as Set<unknown>)].entries()) yield [`.values()[${index}]`, item]
  } else if (!ArrayBuffer.isView(object)) {
    if (object instanceof Error) {
      yield ['.cause', object.cause]
      yield ['.errors', (object as { errors?: unknown }).errors]
    }
    for (const [key, item] of Object.entries(object)) yield [fieldStep(key), item]
  }
}

function fieldStep(key: string): string {
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}

function inspectKey(key: unknown): string {
  return typeof key === 'string' ? JSON.stringify(key) : String(key)
}
