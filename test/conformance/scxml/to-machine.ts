/**
 * SCXML to XState. Covers what XState can express; whatever else a document asks for is refused with
 * {@link Unconvertible}.
 *
 * - An SCXML event descriptor is a prefix, and the first matching transition in document order wins. XState tries
 *   the longest descriptor first. So each descriptor gets every transition whose own descriptor covers it, in
 *   document order.
 * - An SCXML transition is external unless it says otherwise; `type="internal"` counts where all
 *   targets lie inside a compound state.
 * - Initial states that are no direct children are reached through an extra state with an eventless transition.
 * - Active states are noted in the context for documents that use `In()`: guards of XState do not see them.
 */
import { assign, createMachine, type AnyStateMachine, type EventObject } from 'xstate'

import { blockAction, Unconvertible, type Document } from './content.ts'
import { evaluate } from './datamodel.ts'
import { payloadOf, systemVariables, type ScxmlContext } from './session.ts'
import { childrenOf, parseXml, type XmlElement } from './xml.ts'

type Config = Record<string, unknown>
type Arguments = { readonly context: ScxmlContext; readonly event: EventObject }

const stateNames = ['state', 'parallel', 'final', 'history']
const scxmlTypes = ['http://www.w3.org/TR/scxml/', 'http://www.w3.org/TR/scxml', 'scxml']

/**
 * Converts a document.
 *
 * @param read the text of a file that stands beside the document
 * @throws Unconvertible when XState has no way to express it; Error when it is not well-formed
 */
export function toMachine(source: string, read: (path: string) => string): AnyStateMachine {
  return new Converter(parseXml(source), read, false).machine()
}

/** The id, and key, that a state of a document has in its machine: XState reads a dot as a path. */
export function stateKey(id: string): string {
  return id.replaceAll('.', '$')
}

class Converter {
  readonly #root: XmlElement
  readonly #document: Document
  readonly #usesIn: boolean
  readonly #isLate: boolean
  readonly #ids = new Map<XmlElement, string>()

  constructor(root: XmlElement, read: (path: string) => string, isInvoked: boolean) {
    this.#root = root
    const invokeIds = new Set<string>()
    this.#document = { name: root.attributes['name'] ?? 'scxml', invokeIds, isInvoked, read }
    this.#isLate = root.attributes['binding'] === 'late'
    let usesIn = false
    visit(root, element => {
      if (stateNames.includes(element.name)) this.#ids.set(element, this.#idOf(element))
      if (element.name === 'invoke' && element.attributes['id']) invokeIds.add(element.attributes['id'])
      usesIn ||= Object.values(element.attributes).some(value => /\bIn\s*\(/.test(value))
    })
    this.#usesIn = usesIn
  }

  machine(): AnyStateMachine {
    const names = this.#data(this.#root, true).map(({ attributes }) => attributes['id']!)
    const data = Object.fromEntries(names.map(name => [name, undefined]))
    const eager = [...this.#data(this.#root, !this.#isLate), ...childrenOf(this.#root, 'script')]
    return createMachine({
      ...this.#children(this.#root),
      id: this.#document.name,
      context: ({ self }: { self: { sessionId: string } }) => ({
        data,
        sessionId: self.sessionId,
        configuration: [],
        generated: 0,
      }),
      entry: [blockAction(eager, this.#document)],
      output: ({ event }: { event: { output?: unknown } }) => event.output,
    } as never)
  }

  /** The `<data>` of an element, and of the states inside it if asked. */
  #data(element: XmlElement, isDeep: boolean): readonly XmlElement[] {
    const own = childrenOf(element, 'datamodel').flatMap(model => childrenOf(model, 'data'))
    if (!isDeep) return own
    return [...own, ...childrenOf(element, ...stateNames).flatMap(state => this.#data(state, true))]
  }

  #idOf(element: XmlElement): string {
    const { id } = element.attributes
    return id === undefined ? `$${this.#ids.size}` : stateKey(id)
  }

  #children(element: XmlElement): Config {
    const states = childrenOf(element, ...stateNames)
    if (states.length === 0) return {}
    const converted = states.map(state => [this.#ids.get(state)!, this.#state(state, element)] as const)
    if (element.name === 'parallel') return { states: Object.fromEntries(converted) }
    const { initial, extra } = this.#initial(element)
    return { initial, states: Object.fromEntries([...converted, ...extra]) }
  }

  #initial(element: XmlElement): { initial: unknown; extra: readonly (readonly [string, Config])[] } {
    const [transition] = childrenOf(element, 'initial').flatMap(initial => childrenOf(initial, 'transition'))
    const keys = childrenOf(element, ...stateNames).map(state => this.#ids.get(state)!)
    const attribute = transition?.attributes['target'] ?? element.attributes['initial']
    const targets = attribute?.trim().split(/\s+/).map(stateKey) ?? keys.slice(0, 1)
    const actions = transition === undefined ? [] : [this.#block(transition)]
    if (targets.length === 1 && keys.includes(targets[0]!)) {
      return { initial: { target: targets[0], actions }, extra: [] }
    }
    const key = `${this.#ids.get(element) ?? ''}$initial`
    return { initial: key, extra: [[key, { id: key, always: { target: targets.map(reference), actions } }]] }
  }

  #state(element: XmlElement, parent: XmlElement): Config {
    const id = this.#ids.get(element)!
    if (element.name === 'history') return this.#history(element, id, parent)
    const lateData = this.#isLate ? [this.#lateDataAction(element)] : []
    const invokes = childrenOf(element, 'invoke').map((invoke, index) =>
      this.#invoke(invoke, `${id}.${index}`),
    )
    const doneData = element.name === 'final' ? this.#doneData(element) : {}
    return {
      ...this.#children(element),
      ...this.#transitions(element),
      id,
      ...(element.name === 'state' ? {} : { type: element.name }),
      entry: [
        ...this.#tracking(configuration => [...configuration, id]),
        ...lateData,
        ...childrenOf(element, 'onentry').map(block => this.#block(block)),
        ...invokes.flatMap(({ entry }) => entry),
        ...(doneData.entry ?? []),
      ],
      exit: [
        ...childrenOf(element, 'onexit').map(block => this.#block(block)),
        ...this.#tracking(configuration => configuration.filter(active => active !== id)),
      ],
      invoke: invokes.map(({ invoke }) => invoke),
      ...(doneData.output === undefined ? {} : { output: doneData.output }),
    }
  }

  #history(element: XmlElement, id: string, parent: XmlElement): Config {
    const [transition] = childrenOf(element, 'transition')
    if (transition !== undefined && transition.children.length > 0) {
      throw new Unconvertible(`actions on the default transition of a history state of ${parent.name}`)
    }
    const targets = transition?.attributes['target']?.trim().split(/\s+/).map(stateKey)
    return {
      id,
      type: 'history',
      history: element.attributes['type'] ?? 'shallow',
      ...(targets === undefined ? {} : { target: targets.map(reference) }),
    }
  }

  #transitions(element: XmlElement): Config {
    const transitions = childrenOf(element, 'transition').map(transition => {
      const { cond, event, target, type } = transition.attributes
      const targets = target?.trim().split(/\s+/).map(stateKey)
      const isInternal = type === 'internal' && element.name === 'state' && this.#isInside(element, targets)
      const converted = {
        ...(targets === undefined ? {} : { target: targets.map(reference), reenter: !isInternal }),
        ...(cond === undefined ? {} : { guard: this.#guard(cond) }),
        actions: transition.children.length === 0 ? [] : [this.#block(transition)],
      }
      return { descriptors: event?.trim().split(/\s+/).map(toDescriptor), converted }
    })
    const always = transitions.filter(({ descriptors }) => descriptors === undefined)
    const all = new Set(transitions.flatMap(({ descriptors }) => descriptors ?? []))
    const on = [...all].map(
      descriptor =>
        [
          descriptor === '' ? '*' : `${descriptor}.*`,
          transitions.filter(({ descriptors }) => descriptors?.some(other => covers(other, descriptor))),
        ] as const,
    )
    return {
      always: always.map(({ converted }) => converted),
      on: Object.fromEntries(on.map(([key, found]) => [key, found.map(({ converted }) => converted)])),
    }
  }

  /** Whether all targets lie inside the element. */
  #isInside(element: XmlElement, targets: readonly string[] = []): boolean {
    const inside = new Set<string>()
    for (const child of element.children) {
      visit(child, descendant => inside.add(this.#ids.get(descendant) ?? ''))
    }
    return targets.every(target => inside.has(target))
  }

  /** A condition that cannot be evaluated does not hold (SCXML 5.9.1). */
  #guard(condition: string) {
    return ({ context, event }: Arguments) => {
      try {
        return Boolean(evaluate(condition, context.data, this.#system(context, event)))
      } catch {
        return false
      }
    }
  }

  #invoke(element: XmlElement, fallback: string): { invoke: Config; entry: readonly unknown[] } {
    const { type, typeexpr, srcexpr, src, autoforward, idlocation } = element.attributes
    const [content] = childrenOf(element, 'content')
    const [child] = content?.children ?? []
    if (typeexpr !== undefined || srcexpr !== undefined)
      throw new Unconvertible('what is invoked must be fixed')
    if (type !== undefined && !scxmlTypes.includes(type)) throw new Unconvertible(`invoke type '${type}'`)
    if (autoforward === 'true') throw new Unconvertible('autoforward: XState 5 has none')
    if (childrenOf(element, 'finalize').length > 0) throw new Unconvertible('finalize: XState has none')
    const { read } = this.#document
    const root = src === undefined ? child : parseXml(read(src))
    if (root?.name !== 'scxml') throw new Unconvertible('invoked content must be fixed')
    const id = element.attributes['id'] ?? fallback
    const parameters = { ...element, children: childrenOf(element, 'param') }
    const location =
      idlocation === undefined ? [] : [synthetic('assign', { location: idlocation, expr: `'${id}'` })]
    const invoke = {
      id,
      src: new Converter(root, read, true).machine(),
      input: ({ context, event }: Arguments) =>
        payloadOf(parameters, context.data, this.#system(context, event)),
    }
    return { invoke, entry: location.length === 0 ? [] : [blockAction(location, this.#document)] }
  }

  /** The output of a final state. If it cannot be evaluated, there is none, and an error is raised on entry. */
  #doneData(element: XmlElement): { entry?: readonly unknown[]; output?: (args: Arguments) => unknown } {
    const [doneData] = childrenOf(element, 'donedata')
    if (doneData === undefined) return {}
    const expressions = [...childrenOf(doneData, 'param'), ...childrenOf(doneData, 'content')].flatMap(
      ({ attributes }) => attributes['expr'] ?? attributes['location'] ?? [],
    )
    const attempt = expressions.map(expr => synthetic('if', { cond: `(${expr}, false)` }))
    return {
      entry: [blockAction(attempt, this.#document)],
      output: ({ context, event }) => {
        try {
          return payloadOf(doneData, context.data, this.#system(context, event))
        } catch {
          return undefined
        }
      },
    }
  }

  /** With late binding the variables of a state get their values when it is entered first. */
  #lateDataAction(element: XmlElement) {
    const own = this.#data(element, false)
    const unset = own.map(data => synthetic('if', { cond: `${data.attributes['id']} === undefined` }, [data]))
    return blockAction(unset, this.#document)
  }

  #tracking(change: (configuration: readonly string[]) => readonly string[]) {
    if (!this.#usesIn) return []
    return [
      assign({ configuration: ({ context }) => change((context as unknown as ScxmlContext).configuration) }),
    ]
  }

  #block(element: XmlElement) {
    return blockAction(element.children, this.#document)
  }

  #system(context: ScxmlContext, event: EventObject) {
    return systemVariables(context, event, this.#document.name)
  }
}

function visit(element: XmlElement, look: (element: XmlElement) => void): void {
  look(element)
  for (const child of element.children) {
    // A nested document is a session of its own.
    if (child.name !== 'scxml') visit(child, look)
  }
}

function synthetic(
  name: string,
  attributes: XmlElement['attributes'],
  children: readonly XmlElement[] = [],
): XmlElement {
  return { name, attributes, children, text: '' }
}

function reference(key: string): string {
  return `#${key}`
}

/** XState's name of what an SCXML descriptor matches, without wildcard; empty for everything. */
function toDescriptor(descriptor: string): string {
  return descriptor
    .replace(/\.?\*?$/, '')
    .replace(/^done\.invoke\b/, 'xstate.done.actor')
    .replace(/^done\b/, 'xstate.done')
}

function covers(descriptor: string, other: string): boolean {
  return descriptor === '' || descriptor === other || other.startsWith(`${descriptor}.`)
}
