import type { SendEnvelope, StartEnvelope } from '../../actors/envelope.ts'
import { RuntimeError } from '../../actors/errors.ts'
import type { InstanceRecord } from '../../actors/record.ts'

/** Fixtures must not depend on where they are made. */
export function withStack<T extends Error>(error: T, stack: string): T {
  return Object.defineProperty(error, 'stack', { configurable: true, value: stack, writable: true })
}

/** A record that uses every field of format 1 and every kind of value. */
export function sampleRecord(): InstanceRecord {
  const declined = withStack(
    Object.assign(
      new TypeError('card declined', { cause: withStack(new Error('no funds'), 'Error: no funds') }),
      {
        code: 'DECLINED',
      },
    ),
    'TypeError: card declined\n    at charge',
  )
  return {
    workflow: 'order',
    id: 'o-1/ünïcode #1',
    version: 3,
    status: 'running',
    createdAt: 1_770_091_506_000,
    updatedAt: 1_770_091_506_789,
    inputDigest: '3wJ0zzZ4uXXaRj3s6EpjbJ',
    snapshot: {
      status: 'active',
      output: undefined,
      error: undefined,
      value: { paying: { card: 'authorising' }, shipping: 'waiting' },
      historyValue: { 'order.paying': [{ id: 'order.paying.card' }] },
      context: {
        customer: { name: 'Ada Łovelace 😀', vip: true, discount: 0.15, balance: -0, score: NaN },
        lines: [
          { sku: 'a-1', count: 2, price: 9.5 },
          { sku: 'b-2', count: 4_294_967_296, price: -1 },
        ],
        total: 12345678901234567890n,
        placedAt: new Date('2026-02-03T04:05:06.789Z'),
        neverAt: new Date(NaN),
        stock: new Map<unknown, unknown>([
          ['a-1', 7],
          [{ warehouse: 2 }, new Set(['b-2', undefined])],
        ]),
        label: Uint8Array.of(0, 1, 255),
        scan: Buffer.from('scan'),
        samples: Float32Array.of(0.5, -1),
        pattern: /^o-\d+$/giu,
        link: new URL('https://example.org/orders?id=1'),
        broken: 'half \ud83d',
        odd: JSON.parse('{"__proto__":{"a":1},"constructor":"c","":null}') as unknown,
        failures: [
          declined,
          withStack(new AggregateError([withStack(new RangeError('1'), 'RangeError: 1')], 'many'), 'all'),
          withStack(
            new RuntimeError('TIMEOUT', 'late', { fields: { ms: 5 }, retryable: true }),
            'RuntimeError: late',
          ),
        ],
      },
      children: {
        payment: {
          src: 'payment',
          systemId: 'pay',
          syncSnapshot: true,
          snapshot: { status: 'active', value: 'open', context: { attempt: 1 }, children: {} },
        },
      },
    },
    timers: [
      {
        owner: 'payment',
        id: 'xstate.after.1000.order.paying',
        target: '',
        event: { type: 'xstate.after.1000.order.paying' },
        dueAt: 1_770_091_507_789,
        seq: 4,
      },
    ],
    activities: [
      {
        path: 'payment/card',
        src: 'charge',
        input: { amount: 19 },
        incarnation: 2,
        attempt: 3,
        startedAt: 1_770_091_506_100,
        retryAt: 1_770_091_508_000,
        lastError: declined,
      },
      {
        path: 'mail',
        src: 'mail',
        input: undefined,
        incarnation: 3,
        attempt: 1,
        startedAt: 1_770_091_506_200,
      },
    ],
    outbox: [
      { type: 'emit', effectId: 'order/o-1/7', event: { type: 'PRICED', total: 19n } },
      {
        type: 'action',
        effectId: 'order/o-1/8',
        owner: '',
        action: 'notify',
        params: { to: ['ada@example.org'] },
        event: { type: 'PAY' },
        context: { attempt: 0 },
      },
    ],
    cursor: 42,
    recent: ['e-1', 'e-2'],
    sources: { webhooks: 17 },
    counter: 9,
  }
}

export function sampleStart(): StartEnvelope {
  return {
    type: 'start',
    id: 'start-1',
    target: { workflow: 'order', id: 'o-1' },
    cause: 'trigger/webhook',
    time: 1_770_091_506_789,
    input: { lines: [{ sku: 'a-1', count: 2 }], placedAt: new Date(1_770_091_506_000), total: 19n },
    inputDigest: '3wJ0zzZ4uXXaRj3s6EpjbJ',
  }
}

export function sampleSend(): SendEnvelope {
  return {
    type: 'send',
    id: 'send-1',
    target: { workflow: 'order', id: 'o-1/ünïcode #1' },
    source: { name: 'webhooks', position: 18 },
    time: 1_770_091_506_789,
    event: { type: 'PAY', method: new Map([['card', { last4: '4242' }]]) },
  }
}
