import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  escapeToken,
  keyOf,
  parseKey,
  parseTaskName,
  subjectsOf,
  unescapeToken,
} from '../../src/nats/subjects.ts'
import { awkwardIds } from '../contract/samples.ts'
import { errorOf } from '../workflow/error-of.ts'

/** Any text that has a UTF-8 form. */
const text = fc.string({ minLength: 1, unit: 'binary' })

describe('subjects', () => {
  it('escapes any text to one token of plain characters, and back', () => {
    fc.assert(
      fc.property(text, given => {
        const token = escapeToken(given)

        expect(token).toMatch(/^[A-Za-z0-9_=-]+$/)
        expect(unescapeToken(token)).toBe(given)
      }),
    )
  })

  it('leaves plain characters as they are', () => {
    expect(escapeToken('Order_7-b')).toBe('Order_7-b')
  })

  it('writes every other byte as = and two upper-case digits', () => {
    expect(escapeToken('a.b=ż\n')).toBe('a=2Eb=3D=C5=BC=0A')
  })

  it('gives every text exactly one token', () => {
    expect(new Set(awkwardIds.map(escapeToken)).size).toBe(awkwardIds.length)
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('=', 'A', '4', '1', 'F', '2', 'E', 'a', 'ż') }),
        token => {
          const given = unescapeToken(token)

          expect(given === undefined || escapeToken(given) === token).toBe(true)
        },
      ),
    )
  })

  it.each([
    '',
    '=',
    '=4',
    '=G0',
    '=2e',
    '=41',
    'a.b',
    'a b',
    '*',
    '>',
    'ż',
    '=FF',
    '=C5',
    '=C5=',
    '=ED=A0=80',
  ])('refuses to unescape %j', token => {
    expect(unescapeToken(token)).toBeUndefined()
  })

  it.each(['', '\ud800', 'a\udc00b'])('refuses to escape what has no UTF-8 form: %j', given => {
    expect(errorOf(() => escapeToken(given)).code).toBe('ID_INVALID')
  })

  it('reads the key of any instance back, at the end of any subject', () => {
    fc.assert(
      fc.property(text, fc.nat({ max: 511 }), (id, partition) => {
        const address = { workflow: 'order', id }

        expect(parseKey(`$KV.hf_x_instances.${keyOf(partition, address)}`)).toEqual({ address, partition })
      }),
    )
  })

  it.each(['', 'order.o-1', '1.order.', '1..o-1', 'x.order.o-1', '-1.order.o-1', '1.*.o-1', '1.order.=41'])(
    'takes %j for no key',
    key => {
      expect(parseKey(key)).toBeUndefined()
    },
  )

  it('names what is in NATS as documented', () => {
    const subjects = subjectsOf('prod')
    const address = { workflow: 'order', id: 'o.1' }

    expect(subjects.record(3, address)).toBe('$KV.hf_prod_instances.3.order.o=2E1')
    expect(subjects.snapshot(3, address)).toBe('hf.prod.snap.3.order.o=2E1')
    expect(subjects.envelope(3, address)).toBe('hf.prod.in.3.order.o=2E1')
    expect(subjects.event(address)).toBe('hf.prod.events.order.o=2E1')
    expect(subjects.deadLetter('EVENT_INVALID')).toBe('hf.prod.dead.EVENT_INVALID')
    expect(subjects.blob({ owner: address, name: 'bulk-7-0' })).toBe('$KV.hf_prod_blobs.order.o=2E1.bulk-7-0')
    expect(subjects.records({ workflow: 'order' })).toBe('$KV.hf_prod_instances.*.order.>')
    const task = { activity: 'charge', instance: address, incarnation: 4, attempt: 2 }
    expect(subjects.task(3, task)).toBe('hf.prod.task.charge.3.order.o=2E1.4.2')
    expect(subjects.stop(3, task)).toBe('hf.prod.stop.charge.3.order.o=2E1.4.2')
    expect(subjects.tasks('charge')).toBe('hf.prod.task.charge.>')
    expect(subjects.stops('charge')).toBe('hf.prod.stop.charge.>')
  })

  it('reads the name of a task back', () => {
    const subjects = subjectsOf('prod')
    const task = {
      activity: 'charge',
      instance: { workflow: 'order', id: 'o.1 ż' },
      incarnation: 4,
      attempt: 2,
    }

    expect(parseTaskName(subjects.stop(3, task))).toEqual(task)
    expect(parseTaskName('hf.prod.stop.charge.3.order.o-1.4')).toBeUndefined()
    expect(parseTaskName('hf.prod.stop.charge.3.order.o-1.4.x')).toBeUndefined()
    expect(parseTaskName('hf.prod.stop.a*.3.order.o-1.4.2')).toBeUndefined()
  })

  it.each(['a.b', '*', '>', '', 'a b'])('lets no activity named %j into a subject', activity => {
    const subjects = subjectsOf('prod')

    expect(errorOf(() => subjects.tasks(activity)).code).toBe('ID_INVALID')
    expect(errorOf(() => subjects.stops(activity)).code).toBe('ID_INVALID')
  })

  it.each(['a.b', '*', '>', '', 'a b'])('lets no workflow named %j into a subject', workflow => {
    const subjects = subjectsOf('prod')

    expect(errorOf(() => subjects.record(1, { workflow, id: 'o-1' })).code).toBe('ID_INVALID')
    expect(errorOf(() => subjects.records({ workflow })).code).toBe('ID_INVALID')
    expect(errorOf(() => subjects.event({ workflow, id: 'o-1' })).code).toBe('ID_INVALID')
    expect(errorOf(() => subjects.settingOfWorkflow(workflow)).code).toBe('ID_INVALID')
  })

  it.each(['', 'a.b', 'a b', '*', '>', 'ż', 'x'.repeat(33), 7, undefined])(
    'refuses %j as a namespace',
    namespace => {
      expect(errorOf(() => subjectsOf(namespace as string))).toMatchObject({
        code: 'OPTIONS_INVALID',
        fields: { field: 'namespace' },
      })
    },
  )
})
