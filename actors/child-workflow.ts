import { hash32 } from './hash.ts'
import type { Address } from './address.ts'

/** How many instances may stand above one another, parent on parent: beyond it a child is refused. */
export const mostDepth = 32

/** The longest id an instance can have. */
const mostIdBytes = 256

/** What `childWorkflow()` attaches to the logic it makes. */
export interface ChildSpec {
  /** Name of the workflow. */
  readonly workflow: string
  /** Whether it goes on when its parent no longer wants it. */
  readonly isDetached: boolean
}

/** The invocation that a child instance belongs to. */
export interface ParentLink {
  readonly address: Address
  /** The actor in the parent that stands for the child. */
  readonly path: string
  /** Fences the result: see ActivityRecord. */
  readonly incarnation: number
  /** How many parents stand above the child: 1 for a child of an instance that has none. */
  readonly depth: number
  /** Which child of the invocation it is, when that is a bulk. */
  readonly index?: number | undefined
}

/** Where the spec hangs on the logic. Registered globally, so that two copies of the package agree. */
export const childSpecKey: unique symbol = Symbol.for('holdfast.child') as never

/** The spec of logic made by `childWorkflow()`; undefined for any other logic. */
export function childSpecOf(logic: unknown): ChildSpec | undefined {
  return (logic as { [childSpecKey]?: ChildSpec } | undefined)?.[childSpecKey]
}

/**
 * The id of a child: made of its parent's address, the number of the invocation and, in a bulk, its index, so that
 * however often the start is sent, it is the same one. A parent whose address is too long to be part of an id is named by
 * a hash of it.
 */
export function childIdOf(parent: Address, incarnation: number, index?: number): string {
  const invocation = index === undefined ? `${incarnation}` : `${incarnation}-${index}`
  const id = `${parent.workflow}.${parent.id}.${invocation}`
  if (new TextEncoder().encode(id).length <= mostIdBytes) return id
  const address = `${parent.workflow}/${parent.id}`
  const hash = [1, 2, 3].map(seed => hash32(address, seed).toString(16).padStart(8, '0'))
  return `${hash.join('')}.${invocation}`
}
