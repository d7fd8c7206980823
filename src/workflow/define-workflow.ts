import type { AnyStateMachine, ContextFrom, EventFrom, InputFrom, OutputFrom, SnapshotFrom } from 'xstate'
import { RuntimeError } from '../../actors/errors.ts'
import type { OnError } from '../../actors/machine.ts'
import type { Persistence } from '../../actors/persistence.ts'
import { poolWorkflow } from '../../actors/pool.ts'
import { isName, nameForm } from './address.ts'
import { isMachine, machineProblems } from './machine-problems.ts'
import type { WorkflowProblem } from './machine-problems.ts'
import { resolvePersist, type Persist } from './persist.ts'
import { isStandardSchema } from './schema.ts'
import type { StandardSchema } from './schema.ts'

/** A named, versioned definition: an XState machine plus options. */
export interface Workflow<TMachine extends AnyStateMachine = AnyStateMachine> {
  readonly name: string
  readonly version: number
  readonly machine: TMachine
  readonly inputSchema: StandardSchema | undefined
  readonly persistence: Persistence
  readonly onError: OnError
  /** By event type. An event of a type without a schema is not checked. */
  readonly eventSchemas: Readonly<Record<string, StandardSchema>>
}

export interface WorkflowOptions<TMachine extends AnyStateMachine> {
  /**
   * What an event from outside must look like, by its type. The schema sees the whole event, `type` included,
   * and the machine gets what the schema returns. Default unchecked.
   */
  readonly events?: EventSchemas<EventFrom<TMachine>>
  /** What the input of a start must look like; the machine gets what the schema returns. Default unchecked. */
  readonly input?: StandardSchema<InputFrom<TMachine>>
  /** The first part of every instance's address. Default the id of the machine. */
  readonly name?: string
  /**
   * What becomes of an instance when a guard, an action or another function of its machine throws, and no machine above
   * it handles that. Default `suspend`.
   *
   * - `suspend`: it takes nothing more until somebody has dealt with the incident; what made the step is kept.
   * - `fail`: it fails with that error.
   * - `deadLetter`: the event, or the start, is kept among the dead letters, and the instance goes on as if it had not
   *   come. A timer, the end of an activity or of a child has no place there: they suspend it.
   *
   * With `persist: 'none'` it always fails.
   */
  readonly onError?: OnError
  /** When instances are stored. Default `turn`. */
  readonly persist?: Persist<TMachine>
  /** A whole number from 1, stored with every record; raise it with every change of the machine. Default 1. */
  readonly version?: number
}

export type EventSchemas<TEvent extends { readonly type: string }> = {
  readonly [TType in TEvent['type']]?: StandardSchema<Extract<TEvent, { readonly type: TType }>>
}

type MachineOf<TWorkflow> = TWorkflow extends Workflow<infer TMachine> ? TMachine : never

/** What a workflow is started with. */
export type InputOf<TWorkflow extends Workflow> = InputFrom<MachineOf<TWorkflow>>
/** What an instance of a workflow can be sent. */
export type EventOf<TWorkflow extends Workflow> = EventFrom<MachineOf<TWorkflow>>
/** The state of an instance of a workflow. */
export type SnapshotOf<TWorkflow extends Workflow> = SnapshotFrom<MachineOf<TWorkflow>>
/** What an instance of a workflow answers in the end. */
export type OutputOf<TWorkflow extends Workflow> = OutputFrom<MachineOf<TWorkflow>>
/** The extended state of an instance of a workflow. */
export type ContextOf<TWorkflow extends Workflow> = ContextFrom<MachineOf<TWorkflow>>

/** Whether `defineWorkflow()` may have made it. For those who do not write TypeScript. */
export function isWorkflow(value: unknown): value is Workflow {
  const workflow = value as Partial<Workflow> | null | undefined
  return (
    typeof workflow?.name === 'string' && workflow.machine !== undefined && workflow.persistence !== undefined
  )
}

const optionNames = ['events', 'input', 'name', 'onError', 'persist', 'version']
const onErrorNames: readonly unknown[] = ['suspend', 'fail', 'deadLetter'] satisfies OnError[]

/**
 * Makes a workflow out of a machine, once everything in it has been found to resolve.
 *
 * @throws RuntimeError `WORKFLOW_INVALID` listing everything wrong with the machine and the options, each with
 * its place, in the message and in `fields.problems`
 */
export function defineWorkflow<TMachine extends AnyStateMachine>(
  machine: TMachine,
  options: WorkflowOptions<TMachine> = {},
): Workflow<TMachine> {
  const problems = isMachine(machine)
    ? [...nameProblems(machine, options), ...optionProblems(options), ...machineProblems(machine, options)]
    : [{ place: 'machine', message: 'must be what createMachine() returns' }]
  if (problems.length > 0) throw invalid(machine, options, problems)

  return Object.freeze({
    name: options.name ?? machine.id,
    version: options.version ?? 1,
    machine,
    inputSchema: options.input,
    persistence: resolvePersist(options.persist),
    onError: options.onError ?? 'suspend',
    eventSchemas: Object.freeze({ ...options.events } as Record<string, StandardSchema>),
  })
}

function invalid(
  machine: AnyStateMachine | undefined,
  options: { readonly name?: string },
  problems: readonly WorkflowProblem[],
): RuntimeError {
  const name = options?.name ?? machine?.id
  const lines = problems.map(({ place, message }) => `\n- ${place}: ${message}`)
  return new RuntimeError('WORKFLOW_INVALID', `workflow '${String(name)}' is invalid:${lines.join('')}`, {
    fields: { problems, workflow: name },
  })
}

function nameProblems(machine: AnyStateMachine, { name }: { readonly name?: string }): WorkflowProblem[] {
  if ((name ?? machine.id) === poolWorkflow) {
    const place = name === undefined ? 'machine.id' : 'options.name'
    return [{ place, message: `'${poolWorkflow}' is what pools are kept under; choose another name` }]
  }
  if (name !== undefined) {
    return isName(name) ? [] : [{ place: 'options.name', message: `must be ${nameForm}; got '${name}'` }]
  }
  const id: string | undefined = machine.config.id
  if (id === undefined) {
    return [{ place: 'machine.id', message: 'is missing; give the machine an id or the workflow a name' }]
  }
  if (isName(id)) return []
  return [{ place: 'machine.id', message: `cannot name the workflow: names are ${nameForm}; got '${id}'` }]
}

function optionProblems(options: {
  readonly events?: unknown
  readonly input?: unknown
  readonly onError?: unknown
  readonly persist?: unknown
  readonly version?: unknown
}): WorkflowProblem[] {
  const problems: WorkflowProblem[] = []
  const check = (valid: boolean, place: string, message: string) => {
    if (!valid) problems.push({ place: `options.${place}`, message })
  }
  const { events, input, onError = 'suspend', version = 1 } = options
  const schemaForm = 'must be a Standard Schema v1 validator'

  for (const key of Object.keys(options)) {
    // An option that silently does nothing is a trap.
    check(optionNames.includes(key), key, `is not an option; there are ${optionNames.join(', ')}`)
  }
  check(Number.isSafeInteger(version) && (version as number) >= 1, 'version', 'must be a whole number from 1')
  check(input === undefined || isStandardSchema(input), 'input', schemaForm)
  check(onErrorNames.includes(onError), 'onError', "must be 'suspend', 'fail' or 'deadLetter'")
  try {
    resolvePersist(options.persist)
  } catch (error) {
    check(false, 'persist', (error as Error).message)
  }
  const isRecord = events === undefined || (typeof events === 'object' && events !== null)
  check(isRecord, 'events', 'must be an object of schemas by event type')
  for (const [type, schema] of Object.entries(isRecord ? (events ?? {}) : {})) {
    check(!type.startsWith('xstate.') && type !== '*', `events.${type}`, 'is a reserved event type')
    check(schema === undefined || isStandardSchema(schema), `events.${type}`, schemaForm)
  }
  return problems
}
