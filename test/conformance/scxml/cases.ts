import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'

import { getStateNodes, type AnyStateMachine, type StateNode } from 'xstate'

import type { Driver } from '../driver.ts'
import { stateKey, toMachine } from './to-machine.ts'

/** What a machine is expected to do, as the package's own files tell it. */
interface Expectation {
  /** Ids of the active atomic states. */
  readonly initialConfiguration: readonly string[]
  readonly events: readonly {
    /** Milliseconds to wait before the event. */
    readonly after?: number
    readonly event: { readonly name: string }
    readonly nextConfiguration: readonly string[]
  }[]
}

const packageFolder = dirname(
  createRequire(import.meta.url).resolve('@scion-scxml/test-framework/package.json'),
)
/** Longer than any timeout in the documents that run by themselves. */
const longMs = 60_000

/** Every document of the package: `group/case`. */
export const allCases: readonly string[] = ['test', 'test-ext']
  .flatMap(folder =>
    readdirSync(join(packageFolder, folder), { recursive: true, encoding: 'utf8' }).map(file =>
      folder === 'test' ? file : join(folder, file),
    ),
  )
  .filter(file => file.endsWith('.scxml'))
  .map(file => file.slice(0, -'.scxml'.length))
  .toSorted()

/** Whether the package says what a document is expected to do. */
export function hasExpectation(name: string): boolean {
  return existsSync(fileOf(name, 'json'))
}

/**
 * Runs a document to the end of what its expectations say.
 *
 * @returns `passed`, or how it differs from what is expected
 * @throws Unconvertible when XState has no way to express it
 */
export function runCase(name: string, driver: Driver): string {
  const { initialConfiguration, events } = JSON.parse(readCase(name, 'json')) as Expectation
  const machine = toMachine(readCase(name, 'scxml'), path => readBeside(name, path))
  driver.start(machine)
  if (runsByItself(name)) {
    driver.advance(longMs)
    return difference(machine, driver, ['pass'], 'at last') ?? 'passed'
  }
  const atFirst = difference(machine, driver, initialConfiguration, 'at first')
  if (atFirst !== undefined) return atFirst
  for (const { after = 0, event, nextConfiguration } of events) {
    driver.advance(after)
    driver.send({ type: event.name })
    const found = difference(machine, driver, nextConfiguration, `after '${event.name}'`)
    if (found !== undefined) return found
  }
  return 'passed'
}

/** The documents of the W3C need no events: with time alone they end in `pass` or `fail`. */
function runsByItself(name: string): boolean {
  return name.startsWith('w3c-ecma/')
}

/** How the active states differ from these, if they do. */
function difference(
  machine: AnyStateMachine,
  driver: Driver,
  ids: readonly string[],
  when: string,
): string | undefined {
  const { error, status, value } = driver.view
  if (status === 'error') return `failed ${when}: ${String(error)}`
  const atomic = new Set(getStateNodes(machine.root, value as never).filter(isAtomic))
  const actual = Array.from(atomic, ({ id }) => id)
    .toSorted()
    .join(' ')
  const expected = ids.map(stateKey).toSorted().join(' ')
  return actual === expected ? undefined : `${when} in '${actual}' instead of '${expected}'`
}

function isAtomic({ type }: StateNode): boolean {
  return type === 'atomic' || type === 'final'
}

function readCase(name: string, extension: string): string {
  return readFileSync(fileOf(name, extension), 'utf8')
}

function readBeside(name: string, path: string): string {
  return readFileSync(join(dirname(fileOf(name, 'scxml')), basename(path.replace(/^file:/, ''))), 'utf8')
}

function fileOf(name: string, extension: string): string {
  const folder = name.startsWith('test-ext/') ? packageFolder : join(packageFolder, 'test')
  return join(folder, `${name}.${extension}`)
}
