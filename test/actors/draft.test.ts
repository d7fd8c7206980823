import { describe, expect, it } from 'vitest'
import {
  assign,
  fromCallback,
  fromPromise,
  log,
  sendTo,
  setup,
  spawnChild,
  type AnyStateMachine,
} from 'xstate'

import { Draft } from '../../actors/draft.ts'
import { prepareWorkflow, type PreparedWorkflow } from '../../actors/machine.ts'
import type { EventObject } from '../../actors/event.ts'
import type { ActivityRecord, InstanceRecord } from '../../actors/record.ts'
import { decodeRecord, encodeRecord } from '../../src/codec/record.ts'

const target = { workflow: 'draft', id: 'd-1' }

function prepare(machine: AnyStateMachine): PreparedWorkflow {
  return prepareWorkflow({ name: 'draft', version: 1, machine })
}

function start(workflow: PreparedWorkflow): Draft {
  const envelope = { type: 'start', id: 'start', target, time: 0, input: undefined, inputDigest: '' } as const
  return Draft.start(workflow, envelope, 1, 0)
}

function send(draft: Draft, event: EventObject, seq = 2): void {
  draft.deliver({ type: 'send', id: `${seq}`, target, time: 0, event }, seq, 0)
}

/** The record as its next reader finds it. */
function stored(draft: Draft): InstanceRecord {
  return decodeRecord(encodeRecord(draft.record(0)))
}

const types = {} as { context: { heard: string[] }; events: EventObject }

describe('a draft', () => {
  it('keeps the input of an activity in one place', () => {
    const machine = setup({
      actors: { work: fromPromise<void, { for: string }>(async () => {}) },
    }).createMachine({ invoke: { id: 'work', src: 'work', input: { for: 'you' } } })

    const { activities, snapshot } = stored(start(prepare(machine)))

    expect(activities).toMatchObject([{ path: 'work', input: { for: 'you' } }])
    expect(snapshot.children!['work']!.snapshot).not.toHaveProperty('input')
  })

  it('is of the version of the workflow that writes it, whichever has started it', () => {
    const machine = setup({ types }).createMachine({ context: { heard: [] }, on: { GO: {} } })
    const started = stored(start(prepare(machine)))
    const newer = prepareWorkflow({ name: 'draft', version: 2, machine })

    expect(started.version).toBe(1)
    expect(stored(Draft.from(newer, started)).version).toBe(2)
  })

  it('rounds up the moment of a timer to a whole millisecond', () => {
    const machine = setup({ types }).createMachine({
      context: { heard: [] },
      initial: 'waiting',
      states: { waiting: { after: { 41.5: 'over' } }, over: {} },
    })

    expect(start(prepare(machine)).dueAt).toBe(42)
  })

  it('tells apart children whose ids look alike once they are part of a path', () => {
    const ids = ['a/b', 'a%2Fb', 'a']
    const machine = setup({ types, actors: { call: fromPromise(async () => {}) } }).createMachine({
      context: ({ spawn }) => {
        for (const id of ids) spawn('call', { id })
        return { heard: [] }
      },
      on: {
        'xstate.done.actor.*': {
          actions: assign({ heard: ({ context, event }) => [...context.heard, String(event['actorId'])] }),
        },
      },
    })
    const workflow = prepare(machine)
    const draft = Draft.from(workflow, stored(start(workflow)))

    for (const { path, incarnation } of draft.record(0).activities) {
      const outcome = { status: 'done', output: undefined } as const
      draft.report({ type: 'settled', path, incarnation, outcome }, 0)
    }

    expect(draft.snapshot().context).toEqual({ heard: ids })
  })

  it('drops what is meant for an actor that is not there', () => {
    const draft = start(prepare(setup({}).createMachine({})))

    expect(draft.deliverSelf('nobody', { type: 'HELLO' }, 0)).toBe('ignored')
    expect(draft.deliverSelf('nobody/at all', { type: 'HELLO' }, 0)).toBe('ignored')
  })

  it('drops what an activity tells whose actor its machine has lost', () => {
    // XState files both under the same key: one is lost.
    const machine = setup({ actors: { call: fromCallback(() => {}) } }).createMachine({
      entry: [spawnChild('call'), spawnChild('call')],
    })
    const draft = start(prepare(machine))
    const { path, incarnation } = draft
      .record(0)
      .activities.find(({ path: at }) => draft.logicOf(at) === undefined)!

    expect(draft.report({ type: 'event', path, incarnation, event: { type: 'HELLO' } }, 0)).toBe('ignored')
    draft.report({ type: 'moved', path, incarnation, context: 1 }, 0)
    draft.report({ type: 'settled', path, incarnation, outcome: { status: 'done', output: 1 } }, 0)

    expect(draft.status).toBe('running')
    expect(draft.record(0).activities).toHaveLength(1)
  })

  it('gives the system id of an activity that has ended to the next', () => {
    const machine = setup({
      types: {} as { events: EventObject },
      actors: { call: fromPromise(async () => {}) },
    }).createMachine({
      on: { CALL: { actions: spawnChild('call', { id: 'call', systemId: 'the call' }) }, '*': {} },
    })
    const draft = start(prepare(machine))
    send(draft, { type: 'CALL' })
    const [{ path, incarnation }] = draft.record(0).activities as [ActivityRecord]

    draft.report({ type: 'settled', path, incarnation, outcome: { status: 'done', output: undefined } }, 0)
    send(draft, { type: 'CALL' }, 3)

    expect(draft.status).toBe('running')
    expect(draft.record(0).activities).toHaveLength(1)
  })

  it('says which actor has logged what', () => {
    const child = setup({}).createMachine({ entry: log('from below') })
    const machine = setup({ actors: { child } }).createMachine({
      entry: log('from above'),
      invoke: { id: 'child', src: 'child' },
    })

    expect(start(prepare(machine)).takeEffects()).toEqual([
      { type: 'log', owner: '', values: ['from above'] },
      { type: 'log', owner: 'child', values: ['from below'] },
    ])
  })

  it('keeps the context of a machine inside it apart from that of every other instance', () => {
    const child = setup({ types }).createMachine({
      context: { heard: [] },
      on: { HEAR: { actions: assign(({ context }) => (context.heard.push('it'), context)) } },
    })
    const machine = setup({ actors: { child } }).createMachine({
      invoke: { id: 'child', src: 'child' },
      on: { HEAR: { actions: sendTo('child', { type: 'HEAR' }) } },
    })
    const workflow = prepare(machine)

    const contexts = [start(workflow), start(workflow)].map(draft => {
      send(draft, { type: 'HEAR' })
      return draft.snapshot().children!['child']!.snapshot.context
    })

    expect(contexts).toEqual([{ heard: ['it'] }, { heard: ['it'] }])
  })
})

describe('an action that a crash kept from running', () => {
  const ran: string[] = []
  function shout(): void {
    ran.push('inline')
  }
  const child = setup({}).createMachine({ on: { GO: { actions: () => ran.push('of the child') } } })
  const machine = setup({
    actors: { child },
    actions: { shout: () => ran.push('named'), whisper: () => ran.push('whisper') },
  }).createMachine({
    invoke: { id: 'child', src: 'child' },
    on: { GO: { actions: ['whisper', shout, sendTo('child', { type: 'GO' })] } },
  })

  /** What a new process is asked to run. */
  function resumed(change: (record: InstanceRecord) => InstanceRecord = record => record): Draft {
    const workflow = prepare(machine)
    const draft = start(workflow)
    send(draft, { type: 'GO' })
    const next = Draft.from(workflow, change(stored(draft)))
    next.resume()
    return next
  }

  it('is found again, whether it has a name or only a place', () => {
    ran.length = 0

    for (const effect of resumed().takeEffects()) if (effect.type === 'action') effect.run()

    expect(ran).toEqual(['whisper', 'inline', 'of the child'])
  })

  it('is given up when its actor is gone', () => {
    const draft = resumed(record => ({
      ...record,
      outbox: record.outbox.map(entry => (entry.type === 'action' ? { ...entry, owner: 'nobody' } : entry)),
    }))

    expect(draft.takeEffects()).toEqual([])
    expect(draft.record(0).outbox).toEqual([])
  })
})
