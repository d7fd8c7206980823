/** An element as the converter needs it: namespaces are dropped, text is kept for the elements that hold some. */
export interface XmlElement {
  /** Local name: `state` for `<ns0:state>`. */
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly XmlElement[]
  /** The text directly inside, comments left out. */
  readonly text: string
}

interface OpenElement {
  readonly name: string
  readonly attributes: Record<string, string>
  readonly children: XmlElement[]
  text: string
}

const token =
  /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<!DOCTYPE[^>]*>|<!\[CDATA\[([\s\S]*?)\]\]>|<\/([^\s>]+)\s*>|<([^\s/>]+)((?:\s+[^\s=]+\s*=\s*(?:"[^"]*"|'[^']*'))*)\s*(\/?)>|([^<]+)/g
const attribute = /([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g

/**
 * Reads a document and answers its root element. Knows elements, attributes, text, CDATA and the predefined
 * entities: what SCXML documents consist of.
 *
 * @throws Error when the document is not well-formed
 */
export function parseXml(source: string): XmlElement {
  const top: OpenElement = { name: '', attributes: {}, children: [], text: '' }
  const open = [top]
  let read = 0
  for (const match of source.replace(/^\uFEFF/, '').matchAll(token)) {
    if (match.index !== read) break
    read += match[0].length
    const [, cdata, closing, opening, attributes, selfClosing, text] = match
    const current = open[open.length - 1]!
    if (cdata !== undefined) current.text += cdata
    else if (text !== undefined) current.text += decode(text)
    else if (opening !== undefined) {
      const element = {
        name: localName(opening),
        attributes: readAttributes(attributes!),
        children: [],
        text: '',
      }
      current.children.push(element)
      if (selfClosing === '') open.push(element)
    } else if (closing !== undefined) {
      if (localName(closing) !== current.name) throw new Error(`</${closing}> closes <${current.name}>`)
      open.pop()
    }
  }
  const [root, ...others] = top.children
  const isComplete = read === source.replace(/^\uFEFF/, '').length && open.length === 1
  if (root === undefined || others.length > 0 || !isComplete) throw new Error(`not well-formed near ${read}`)
  return root
}

/** The children with one of these names, in document order. */
export function childrenOf(element: XmlElement, ...names: string[]): readonly XmlElement[] {
  return element.children.filter(child => names.includes(child.name))
}

function readAttributes(source: string): Record<string, string> {
  const attributes: Record<string, string> = {}
  for (const [, name, double, single] of source.matchAll(attribute)) {
    attributes[localName(name!)] = decode(double ?? single ?? '')
  }
  return attributes
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}

const entities: Readonly<Record<string, string>> = { amp: '&', apos: "'", gt: '>', lt: '<', quot: '"' }

function decode(text: string): string {
  return text.replace(/&(?:#x([\da-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return entities[name as string] ?? (whole as string)
    return String.fromCodePoint(hex === undefined ? Number(decimal) : Number.parseInt(hex as string, 16))
  })
}
