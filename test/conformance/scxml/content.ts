/** Turns SCXML's executable content into XState actions: one `enqueueActions` per block. */
import { cancel, enqueueActions, log, type ActorRef, type EventObject, type Snapshot } from 'xstate'

import { assignTo, evaluate, execute, parseText, storedValue } from './datamodel.ts'
import type { Datamodel, SystemVariables } from './datamodel.ts'
import { locationOf, payloadOf, processors, systemVariables } from './session.ts'
import type { ScxmlContext, ScxmlEvent } from './session.ts'
import type { XmlElement } from './xml.ts'

/** What content needs to know of the document it stands in. */
export interface Document {
  readonly name: string
  /** Ids of its invocations: where `#_<id>` may go. */
  readonly invokeIds: ReadonlySet<string>
  /** Whether another session invoked it. */
  readonly isInvoked: boolean
  /** The text of a file that stands beside the document. */
  readonly read: (path: string) => string
}

type AnyRef = ActorRef<Snapshot<unknown>, EventObject> & { readonly _parent?: { readonly sessionId: string } }

/** A document, or a case, that XState has no way to express. */
export class Unconvertible extends Error {
  override readonly name = 'Unconvertible'
}

/** The action that runs a block of content. An error in it ends the block and raises `error.execution`. */
export function blockAction(elements: readonly XmlElement[], document: Document) {
  for (const element of elements) rejectUnsupported(element)
  return enqueueActions(({ context, event, self, enqueue }) => {
    const block = new Block(document, context as never, event, self as never, enqueue as never)
    block.run(elements)
  })
}

/** Milliseconds of `1s`, `.5s` or `250ms`. */
export function parseDelay(text: string): number {
  const [, amount, unit] = /^\s*([\d.]+)(ms|s)\s*$/.exec(text) ?? []
  if (amount === undefined) throw new Error(`no delay: '${text}'`)
  return Number(amount) * (unit === 's' ? 1000 : 1)
}

interface Enqueue {
  (action: unknown): void
  assign(context: Partial<ScxmlContext>): void
  raise(event: ScxmlEvent): void
  sendTo(target: unknown, event: ScxmlEvent, options?: { id?: string; delay?: number }): void
  sendParent(event: ScxmlEvent, options?: { id?: string; delay?: number }): void
}

/** One run of one block. */
class Block {
  readonly #document: Document
  readonly #self: AnyRef
  readonly #enqueue: Enqueue
  readonly #system: SystemVariables
  readonly #input: Readonly<Record<string, unknown>>
  #data: Datamodel
  #generated: number
  /** The id of the `<send>` being performed: an error in it names it. */
  #sendId: string | undefined

  constructor(document: Document, context: ScxmlContext, event: EventObject, self: AnyRef, enqueue: Enqueue) {
    this.#document = document
    this.#self = self
    this.#enqueue = enqueue
    this.#system = systemVariables(context, event, document.name)
    this.#input = (event as { input?: Record<string, unknown> }).input ?? {}
    this.#data = structuredClone(context.data)
    this.#generated = context.generated
  }

  run(elements: readonly XmlElement[]): void {
    try {
      for (const element of elements) this.#perform(element)
    } catch {
      this.#raiseError('error.execution', this.#sendId)
    }
    this.#enqueue.assign({ data: this.#data, generated: this.#generated })
  }

  #perform(element: XmlElement): void {
    const { attributes } = element
    switch (element.name) {
      case 'assign':
        this.#assign(attributes['location']!, this.#value(element))
        return
      case 'cancel':
        this.#enqueue(cancel(this.#text(attributes, 'sendid')!))
        return
      case 'data':
        this.#initialise(element)
        return
      case 'foreach':
        this.#forEach(element)
        return
      case 'if':
        for (const chosen of this.#branch(element)) this.#perform(chosen)
        return
      case 'log':
        this.#enqueue(log(this.#evaluate(attributes['expr'] ?? `''`) as string, attributes['label']))
        return
      case 'raise':
        this.#enqueue.raise({ type: attributes['event']!, kind: 'internal' })
        return
      case 'script':
        this.#data = execute(this.#code(element), this.#data, this.#system)
        return
      case 'send':
        this.#send(element)
        return
      default:
        throw new Error(`<${element.name}> is no executable content`)
    }
  }

  #send(element: XmlElement): void {
    const { attributes } = element
    let id = attributes['id']
    if (attributes['idlocation'] !== undefined) {
      id = `send.${++this.#generated}`
      this.#assign(attributes['idlocation'], id)
    }
    this.#sendId = id
    const type = this.#text(attributes, 'type')
    if (type !== undefined && !processors.includes(type)) throw new Error(`no event processor '${type}'`)
    const target = this.#text(attributes, 'target') ?? ''
    const payload = payloadOf(element, this.#data, this.#system)
    const event: ScxmlEvent = {
      type: this.#text(attributes, 'event')!,
      kind: target === '#_internal' ? 'internal' : 'external',
      ...(payload === undefined ? {} : { data: payload }),
      ...(id === undefined ? {} : { sendid: id }),
      ...(target === '#_internal' ? {} : { origin: locationOf(this.#system['_sessionid'] as string) }),
    }
    const delayText = this.#text(attributes, 'delay')
    const delay = delayText === undefined ? {} : { delay: parseDelay(delayText) }
    this.#route(target, event, { ...(id === undefined ? {} : { id }), ...delay })
    this.#sendId = undefined
  }

  #route(target: string, event: ScxmlEvent, options: { id?: string; delay?: number }): void {
    const { _parent: parent, id } = this.#self
    if (target === '#_internal') {
      this.#enqueue.raise(event)
    } else if (target === '' || target === locationOf(this.#self.sessionId)) {
      this.#enqueue.sendTo(({ self }: { self: unknown }) => self, event, options)
    } else if (
      this.#document.isInvoked &&
      (target === '#_parent' || target === locationOf(String(parent?.sessionId)))
    ) {
      this.#enqueue.sendParent({ ...event, invokeid: id }, options)
    } else if (this.#document.invokeIds.has(target.slice(2))) {
      this.#enqueue.sendTo(target.slice(2), event, options)
    } else if (target.startsWith('#_')) {
      this.#raiseError('error.communication', event.sendid)
    } else {
      throw new Error(`no target '${target}'`)
    }
  }

  #raiseError(type: string, sendid?: string): void {
    this.#enqueue.raise({ type, kind: 'platform', ...(sendid === undefined ? {} : { sendid }) })
  }

  /** A variable whose initial value cannot be evaluated exists all the same, empty (SCXML 5.3.3). */
  #initialise(element: XmlElement): void {
    const id = element.attributes['id']!
    try {
      const value = id in this.#input ? this.#input[id] : this.#value(element)
      this.#data = { ...this.#data, [id]: storedValue(value) }
    } catch {
      this.#raiseError('error.execution')
    }
  }

  #forEach(element: XmlElement): void {
    const { array, item, index } = element.attributes
    const items = this.#evaluate(array!)
    if (!Array.isArray(items)) throw new TypeError(`'${array}' is no array`)
    for (const name of [item, index]) {
      if (name === undefined) continue
      if (!/^[\p{L}_$][\p{L}\d_$]*$/u.test(name)) throw new SyntaxError(`'${name}' is no variable`)
      // A reserved word is refused by the attempt to declare it.
      this.#data = { [name]: undefined, ...execute(`var ${name}`, this.#data, this.#system) }
    }
    for (const [position, value] of [...(items as unknown[])].entries()) {
      this.#data = { ...this.#data, [item!]: value, ...(index === undefined ? {} : { [index]: position }) }
      for (const child of element.children) this.#perform(child)
    }
  }

  /** The part of an `<if>` whose condition holds first. */
  #branch(element: XmlElement): readonly XmlElement[] {
    let holds = Boolean(this.#evaluate(element.attributes['cond']!))
    const chosen: XmlElement[] = []
    for (const child of element.children) {
      if (child.name === 'else' || child.name === 'elseif') {
        if (holds) return chosen
        holds = child.name === 'else' || Boolean(this.#evaluate(child.attributes['cond']!))
      } else if (holds) {
        chosen.push(child)
      }
    }
    return chosen
  }

  #assign(location: string, value: unknown): void {
    this.#data = assignTo(location, value, this.#data, this.#system)
  }

  #value(element: XmlElement): unknown {
    const { expr, src } = element.attributes
    if (expr !== undefined) return this.#evaluate(expr)
    if (src !== undefined) return parseText(this.#document.read(src))
    return element.text.trim() === '' ? undefined : parseText(element.text)
  }

  #code(element: XmlElement): string {
    const { src } = element.attributes
    return src === undefined ? element.text : this.#document.read(src)
  }

  /** An attribute written literally or, under its name plus `expr`, as an expression. */
  #text(attributes: XmlElement['attributes'], name: string): string | undefined {
    const expression = attributes[`${name}expr`]
    return expression === undefined ? attributes[name] : String(this.#evaluate(expression))
  }

  #evaluate(expression: string): unknown {
    return evaluate(expression, this.#data, this.#system)
  }
}

function rejectUnsupported(element: XmlElement): void {
  const [child] = element.children
  if (child !== undefined && ['assign', 'content', 'data'].includes(element.name)) {
    throw new Unconvertible(`<${child.name}> is data in XML, which needs a DOM`)
  }
  for (const inner of element.children) rejectUnsupported(inner)
}
