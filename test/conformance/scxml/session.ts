/** What a converted machine keeps between two events, and what its expressions see of it. */
import type { EventObject } from 'xstate'

import { evaluate, parseText, type Datamodel, type SystemVariables } from './datamodel.ts'
import { childrenOf, type XmlElement } from './xml.ts'

/** The context of a converted machine. */
export interface ScxmlContext {
  readonly data: Datamodel
  readonly sessionId: string
  /** Ids of the active states; kept only for documents that ask with `In()`. */
  readonly configuration: readonly string[]
  /** How many ids were generated for `idlocation`. */
  readonly generated: number
}

/** An event with what SCXML's `_event` tells besides its name. */
export interface ScxmlEvent extends EventObject {
  readonly data?: unknown
  readonly kind?: 'internal' | 'external' | 'platform'
  readonly sendid?: string
  readonly origin?: string
  readonly invokeid?: string
}

const own = 'http://www.w3.org/TR/scxml/#SCXMLEventProcessor'
/** Names of event processors. What a session sends to itself over HTTP needs no network, so it counts as own. */
export const processors = [own, 'scxml', 'http://www.w3.org/TR/scxml/#BasicHTTPEventProcessor', 'basichttp']

/** The variables that a piece of a document sees. */
export function systemVariables(context: ScxmlContext, event: EventObject, name: string): SystemVariables {
  const location = locationOf(context.sessionId)
  return {
    _event: describeEvent(event),
    _ioprocessors: Object.fromEntries(processors.map(processor => [processor, { location }])),
    _name: name,
    _sessionid: context.sessionId,
    In: (id: string) => context.configuration.includes(id),
  }
}

/** What `<param>`, `namelist` and `<content>` of an element amount to. */
export function payloadOf(element: XmlElement, data: Datamodel, system: SystemVariables): unknown {
  const [content] = childrenOf(element, 'content')
  if (content !== undefined) {
    const { expr } = content.attributes
    return expr === undefined ? parseText(content.text) : evaluate(expr, data, system)
  }
  const names = element.attributes['namelist']?.split(/\s+/) ?? []
  const pairs = names.map(name => [name, evaluate(name, data, system)])
  for (const { attributes } of childrenOf(element, 'param')) {
    pairs.push([attributes['name']!, evaluate((attributes['expr'] ?? attributes['location'])!, data, system)])
  }
  return pairs.length === 0 ? undefined : Object.fromEntries(pairs)
}

function describeEvent(event: EventObject): unknown {
  if (event.type === 'xstate.init') return undefined
  const { type, data, kind, sendid, origin, invokeid, output, actorId } = event as ScxmlEvent & {
    readonly output?: unknown
    readonly actorId?: string
  }
  const name = type.replace(/^xstate\.done\.actor/, 'done.invoke').replace(/^xstate\.done/, 'done')
  const isOurs = name === type
  return {
    name,
    type: isOurs ? (kind ?? 'external') : 'platform',
    sendid,
    origin,
    origintype: origin === undefined ? undefined : own,
    invokeid: invokeid ?? actorId,
    data: isOurs ? data : output,
  }
}

/** Where events for a session are sent. */
export function locationOf(sessionId: string): string {
  return `#_scxml_${sessionId}`
}
