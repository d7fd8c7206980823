/**
 * SCXML's ecmascript data model over plain data.
 *
 * Expressions run in strict mode with one parameter per variable, so that an undeclared variable is a
 * ReferenceError, as the specification asks. Variables live in a machine's context, which is stored between any
 * two events: a function is therefore kept as its source.
 */

/** The variables of one session, by name. */
export type Datamodel = Readonly<Record<string, unknown>>

/** What expressions see besides the variables: `_event`, `_sessionid`, `In` and the like. Read-only. */
export type SystemVariables = Readonly<Record<string, unknown>>

interface StoredFunction {
  readonly $function: string
}

/** The value of an expression. Throws what the expression throws. */
export function evaluate(expression: string, data: Datamodel, system: SystemVariables): unknown {
  return run(`return (${expression.replace(/;\s*$/, '')}\n)`, data, system)
}

/**
 * The variables after assigning to a location such as `x` or `x.y[0]`.
 *
 * @throws ReferenceError when the location is not in the data model
 */
export function assignTo(
  location: string,
  value: unknown,
  data: Datamodel,
  system: SystemVariables,
): Datamodel {
  const [root] = /^[\w$]+/.exec(location.trim()) ?? []
  if (root === undefined || !(root in data)) throw new ReferenceError(`no location '${location}'`)
  const body = `${location} = $value; return ${namesOf(data)}`
  return stored(run(body, data, { ...system, $value: value }) as Datamodel)
}

/** The variables after a script, those it declares included. */
export function execute(script: string, data: Datamodel, system: SystemVariables): Datamodel {
  const code = script.replaceAll(/\/\/.*|\/\*[\s\S]*?\*\//g, '')
  const declared = [...code.matchAll(/\b(?:var|function)\s+([\w$]+)/g)].map(([, name]) => name!)
  const fresh = declared.filter(name => !(name in data))
  // A variable inside a function does not exist out here.
  const found = fresh.map(name => `...(typeof ${name} === 'undefined' ? {} : { ${name} })`)
  return stored(run(`${code}\n; return ${namesOf(data, found)}`, data, system) as Datamodel)
}

/** The value of text found in a document: JSON where it is JSON, else the text with its white space collapsed. */
export function parseText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not JSON: then the specification takes it for a string (SCXML B.2.1).
    return text.trim().replaceAll(/\s+/g, ' ')
  }
}

function run(body: string, data: Datamodel, system: SystemVariables): unknown {
  const functions = Object.entries(data).filter((entry): entry is [string, StoredFunction] =>
    isFunction(entry[1]),
  )
  const values = Object.entries({ ...system, ...data }).filter(([, value]) => !isFunction(value))
  const prelude = functions.map(([name, { $function }]) => `var ${name} = (${$function});`).join('\n')
  // oxlint-disable-next-line typescript/no-implied-eval -- the documents are the test suite's own
  const compiled = new Function(...values.map(([name]) => name), `'use strict'; ${prelude}\n${body}`) as (
    ...parameters: unknown[]
  ) => unknown
  return compiled(...values.map(([, value]) => value))
}

function namesOf(data: Datamodel, others: readonly string[] = []): string {
  return `{ ${[...Object.keys(data), ...others].join(', ')} }`
}

function stored(data: Datamodel): Datamodel {
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, storedValue(value)]))
}

/** A value as it can be kept in a context. */
export function storedValue(value: unknown): unknown {
  return typeof value === 'function' ? { $function: String(value) } : value
}

function isFunction(value: unknown): value is StoredFunction {
  return typeof value === 'object' && value !== null && '$function' in value
}
