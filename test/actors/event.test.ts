import { describe, expect, it } from 'vitest'
import { checkEvent } from '../../actors/event.ts'
import { RuntimeError } from '../../actors/errors.ts'

const thrownBy = (event: unknown) => {
  try {
    checkEvent(event)
  } catch (error) {
    return error as RuntimeError
  }
  throw new Error('nothing was thrown')
}

describe('checkEvent', () => {
  it.each([
    { type: 'PAY' },
    { type: 'pay.card.*' },
    { type: 'xstate' },
    { type: 'workflow' },
    { type: '**', extra: 1 },
  ])('answers %o unchanged', event => {
    expect(checkEvent(event)).toBe(event)
  })

  it.each([undefined, null, 'PAY', 7, [], [{ type: 'PAY' }], () => {}])(
    'refuses %o, which is no object',
    event => {
      expect(thrownBy(event)).toMatchObject({ code: 'EVENT_INVALID', fields: { field: 'event' } })
    },
  )

  it.each([{}, { type: '' }, { type: 7 }, { type: null }, new Map([['type', 'PAY']])])(
    'refuses %o, which has no type',
    event => {
      const error = thrownBy(event)

      expect(error).toMatchObject({ code: 'EVENT_INVALID', fields: { field: 'event.type' } })
      expect(error.message).toMatch(/^event\.type must be a non-empty string; got /)
    },
  )

  it.each([
    '*',
    'xstate.',
    'xstate.stop',
    'xstate.done.actor.charge',
    'xstate.after.1000.order',
    'workflow.',
    'workflow.cancel',
    'workflow.granted',
  ])('refuses the type %s, which is kept for XState or the runtime', type => {
    const error = thrownBy({ type })

    expect(error).toBeInstanceOf(RuntimeError)
    expect(error).toMatchObject({ code: 'EVENT_RESERVED', fields: { type } })
    expect(error.message).toContain(`'${type}'`)
  })
})
