import { describe, expect, it } from 'vitest'
import { createActor, SimulatedClock, toPromise, waitFor } from 'xstate'
import { activitySpecOf } from '../../actors/activity.ts'
import { createOrderFulfilment, orderFulfilment } from '../../actors/workflows/order-fulfilment.ts'
import type { OrderInput } from '../../actors/workflows/order-schemas.ts'
import { CardDeclined, createSimulatedServices, OutOfStock } from '../../actors/workflows/order-services.ts'
import type { OrderServices } from '../../actors/workflows/order-services.ts'
import { validate } from '../../src/workflow/schema.ts'
import { errorOf } from '../workflow/error-of.ts'

const threeDaysMs = 3 * 24 * 60 * 60 * 1000

const input: OrderInput = {
  orderId: 'o-1',
  items: [
    { sku: 'MUG', quantity: 2, unitPriceCents: 1_250 },
    { sku: 'TEA', quantity: 1, unitPriceCents: 799 },
  ],
  card: { token: 'tok_visa', last4: '4242' },
  address: { name: 'Ada', street: '1 Main St', city: 'Springfield', postalCode: '12345', country: 'US' },
}

/** Services that answer at once and note every call; a test replaces what should go wrong. */
function createServices(replaced: Partial<OrderServices> = {}) {
  const calls: string[] = []
  const answers: OrderServices = {
    reserveStock: async () => {},
    releaseStock: async () => {},
    charge: async () => ({ paymentId: 'payment-1' }),
    refund: async () => {},
    pack: async () => ({ parcelId: 'parcel-1' }),
    printLabel: async () => ({ labelId: 'label-1' }),
    notify: async () => {},
    ...replaced,
  }
  const noting = Object.entries(answers).map(([name, answer]) => [
    name,
    (request: { notice?: string }, call: never) => {
      calls.push(request.notice === undefined ? name : `${name} ${request.notice}`)
      return (answer as (request: unknown, call: never) => unknown)(request, call)
    },
  ])
  return { calls, services: Object.fromEntries(noting) as OrderServices }
}

function start(replaced: Partial<OrderServices> = {}, overrides: Partial<OrderInput> = {}) {
  const { calls, services } = createServices(replaced)
  const clock = new SimulatedClock()
  const { machine } = createOrderFulfilment(services)
  const actor = createActor(machine, { clock, input: { ...input, ...overrides } }).start()
  return { actor, calls, clock, output: toPromise(actor) }
}

/** A promise to be settled by the test, standing for a service that takes its time. */
function createDeferred<TValue>() {
  let resolve!: (value: TValue) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<TValue>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}

describe('an order', () => {
  it('is fulfilled once the carrier has the parcel', async () => {
    const { actor, calls, output } = start()
    const waiting = await waitFor(actor, snapshot => snapshot.matches('awaitingShipment'))

    actor.send({ type: 'SHIPPED', trackingNumber: 'T-9' })

    expect(waiting.context).toMatchObject({
      paymentId: 'payment-1',
      parcelId: 'parcel-1',
      labelId: 'label-1',
      totalCents: 3_299,
    })
    expect(await output).toEqual({
      orderId: 'o-1',
      status: 'fulfilled',
      reason: undefined,
      totalCents: 3_299,
      trackingNumber: 'T-9',
      needsAttention: false,
    })
    expect(calls).toEqual(['reserveStock', 'charge', 'pack', 'notify confirmed', 'printLabel'])
  })

  it('packs the parcel while the customer is being told', async () => {
    const pack = createDeferred<{ parcelId: string }>()
    const { actor } = start({ pack: () => pack.promise })
    const informed = await waitFor(actor, snapshot =>
      snapshot.matches({ fulfilling: { customer: 'informed' } }),
    )

    pack.resolve({ parcelId: 'parcel-2' })

    expect(informed.value).toEqual({ fulfilling: { parcel: 'packing', customer: 'informed' } })
    await waitFor(actor, snapshot => snapshot.matches('awaitingShipment'))
  })

  it('is fulfilled even if the carrier is quicker than the message to the customer', async () => {
    const notify = createDeferred<void>()
    const { actor, output } = start({ notify: () => notify.promise })
    await waitFor(actor, snapshot => snapshot.matches({ fulfilling: { parcel: 'packed' } }))

    actor.send({ type: 'SHIPPED', trackingNumber: 'T-1' })
    actor.send({ type: 'CUSTOMER_CANCELLED' })
    notify.resolve()

    expect(await output).toMatchObject({ status: 'fulfilled', trackingNumber: 'T-1' })
  })

  it('is fulfilled even if the customer cannot be reached', async () => {
    const { actor, output } = start({ notify: () => Promise.reject(new Error('mailbox full')) })
    await waitFor(actor, snapshot => snapshot.matches('awaitingShipment'))

    actor.send({ type: 'SHIPPED', trackingNumber: 'T-1' })

    expect(await output).toMatchObject({ status: 'fulfilled' })
  })

  it('gives the stock back, and no money, when the card is declined', async () => {
    const { calls, output } = start({ charge: () => Promise.reject(new CardDeclined('no funds')) })

    expect(await output).toMatchObject({ status: 'declined', reason: 'no funds', needsAttention: false })
    expect(calls).toEqual(['reserveStock', 'charge', 'releaseStock', 'notify declined'])
  })

  it('pays back what may have been taken when the charge fails for an unknown reason', async () => {
    const { calls, output } = start({ charge: () => Promise.reject(new Error('connection reset')) })

    expect(await output).toMatchObject({ status: 'failed', reason: 'connection reset' })
    expect(calls).toEqual(['reserveStock', 'charge', 'refund', 'releaseStock', 'notify failed'])
  })

  it('has nothing to undo when an article is missing', async () => {
    const { calls, output } = start({ reserveStock: () => Promise.reject(new OutOfStock('no mugs')) })

    expect(await output).toMatchObject({ status: 'rejected', reason: 'no mugs' })
    expect(calls).toEqual(['reserveStock', 'notify rejected'])
  })

  it.each(['pack', 'printLabel'] as const)('refunds, then releases, when %s fails', async service => {
    const { calls, output } = start({ [service]: () => Promise.reject(new Error('jammed')) })

    expect(await output).toMatchObject({ status: 'failed', reason: 'jammed' })
    expect(calls.slice(-3)).toEqual(['refund', 'releaseStock', 'notify failed'])
  })

  it('is undone when the parcel is not shipped before the deadline', async () => {
    const { actor, calls, clock, output } = start()
    await waitFor(actor, snapshot => snapshot.matches('awaitingShipment'))

    clock.increment(threeDaysMs - 1)
    expect(actor.getSnapshot().value).toBe('awaitingShipment')
    clock.increment(1)

    expect(await output).toMatchObject({ status: 'expired', reason: 'the parcel was not shipped in time' })
    expect(calls.slice(-3)).toEqual(['refund', 'releaseStock', 'notify expired'])
  })

  it('takes the deadline from its input', async () => {
    const { actor, clock, output } = start({}, { shippingDeadlineMs: 50 })
    await waitFor(actor, snapshot => snapshot.matches('awaitingShipment'))

    clock.increment(50)

    expect(await output).toMatchObject({ status: 'expired' })
  })

  it('is undone when the customer cancels before it is shipped', async () => {
    const { actor, calls, output } = start()
    await waitFor(actor, snapshot => snapshot.matches('awaitingShipment'))

    actor.send({ type: 'CUSTOMER_CANCELLED', reason: 'changed my mind' })

    expect(await output).toMatchObject({ status: 'cancelled', reason: 'changed my mind' })
    expect(calls.slice(-3)).toEqual(['refund', 'releaseStock', 'notify cancelled'])
  })

  it('waits for a charge under way before it acts on a cancellation', async () => {
    const charge = createDeferred<{ paymentId: string }>()
    const { actor, calls, output } = start({ charge: () => charge.promise })
    await waitFor(actor, snapshot => snapshot.matches('charging'))

    actor.send({ type: 'CUSTOMER_CANCELLED' })
    expect(actor.getSnapshot().value).toBe('charging')
    charge.resolve({ paymentId: 'late' })

    expect(await output).toMatchObject({ status: 'cancelled', reason: 'cancelled by the customer' })
    expect(calls).toEqual(['reserveStock', 'charge', 'refund', 'releaseStock', 'notify cancelled'])
  })

  it('takes no money when it is cancelled while stock is being reserved', async () => {
    const reserve = createDeferred<void>()
    const { actor, calls, output } = start({ reserveStock: () => reserve.promise })

    actor.send({ type: 'CUSTOMER_CANCELLED' })
    reserve.resolve()

    expect(await output).toMatchObject({ status: 'cancelled' })
    expect(calls).toEqual(['reserveStock', 'releaseStock', 'notify cancelled'])
  })

  it('keeps the cancellation as the reason when the card is declined after it', async () => {
    const charge = createDeferred<{ paymentId: string }>()
    const { actor, output } = start({ charge: () => charge.promise })
    await waitFor(actor, snapshot => snapshot.matches('charging'))

    actor.send({ type: 'CUSTOMER_CANCELLED', reason: 'too slow' })
    charge.reject(new CardDeclined('no funds'))

    expect(await output).toMatchObject({ status: 'cancelled', reason: 'too slow' })
  })

  it('asks for a person, and still releases the stock, when the refund fails for good', async () => {
    const { actor, calls, output } = start({ refund: () => Promise.reject(new Error('bank closed')) })
    await waitFor(actor, snapshot => snapshot.matches('awaitingShipment'))

    actor.send({ type: 'CUSTOMER_CANCELLED' })

    expect(await output).toMatchObject({ status: 'cancelled', needsAttention: true })
    expect(calls.slice(-3)).toEqual(['refund', 'releaseStock', 'notify cancelled'])
  })

  it('knows a declined card by the name of the error, as it comes back from storage', async () => {
    const stored = Object.assign(new Error('no funds'), { name: 'CardDeclined' })
    const { output } = start({ charge: () => Promise.reject(stored) })

    expect(await output).toMatchObject({ status: 'declined' })
  })
})

describe('the order workflow', () => {
  it('retries a charge, but not a declined card', () => {
    const { charge } = orderFulfilment.machine.implementations.actors as Record<string, unknown>

    expect(activitySpecOf(charge)).toMatchObject({
      name: 'charge',
      retry: { maxAttempts: 5, initialIntervalMs: 200, nonRetryable: ['CardDeclined'] },
      attemptTimeoutMs: 10_000,
    })
  })

  it('hands services the idempotency key of the attempt', async () => {
    const keys: string[] = []
    const { machine } = createOrderFulfilment(
      createServices({
        charge: async (_charge, { idempotencyKey }) => {
          keys.push(idempotencyKey)
          return { paymentId: 'p' }
        },
      }).services,
    )
    const spec = activitySpecOf((machine.implementations.actors as Record<string, unknown>)['charge'])
    const log = { debug() {}, info() {}, warn() {}, error() {} }
    const { signal } = new AbortController()

    await spec?.run({
      attempt: 2,
      heartbeat() {},
      idempotencyKey: 'key-7',
      input: { orderId: 'o-1', cents: 1 },
      lastHeartbeat: undefined,
      log,
      signal,
    })

    expect(keys).toEqual(['key-7'])
  })

  it('takes a complete input and nothing less', () => {
    const schema = orderFulfilment.inputSchema!
    const wrong = {
      ...input,
      items: [{ sku: '', quantity: 0.5 }],
      card: { token: 't' },
      shippingDeadlineMs: -1,
    }

    expect(validate(schema, input, 'input')).toBe(input)
    expect(errorOf(() => validate(schema, wrong, 'input')).fields['issues']).toEqual([
      { path: 'input.items[0].sku', message: 'must be text' },
      { path: 'input.items[0].quantity', message: 'must be a whole number from 1' },
      { path: 'input.items[0].unitPriceCents', message: 'must be a whole number from 0' },
      { path: 'input.card.last4', message: 'must be text' },
      { path: 'input.shippingDeadlineMs', message: 'must be a whole number from 0' },
    ])
    for (const value of [undefined, null, 'order', { ...input, items: [] }]) {
      expect(errorOf(() => validate(schema, value, 'input')).code).toBe('INPUT_INVALID')
    }
  })

  it('takes a shipment with a tracking number only', () => {
    const schema = orderFulfilment.eventSchemas['SHIPPED']!

    expect(validate(schema, { type: 'SHIPPED', trackingNumber: 'T' }, 'event')).toMatchObject({
      trackingNumber: 'T',
    })
    expect(errorOf(() => validate(schema, { type: 'SHIPPED' }, 'event')).code).toBe('EVENT_INVALID')
  })
})

describe('the simulated services', () => {
  const call = { idempotencyKey: 'k', signal: new AbortController().signal }
  const services = createSimulatedServices(0)

  it('answer alike to the same question', async () => {
    const charge = { orderId: 'o-1', cents: 1, card: input.card }

    expect(await services.charge(charge, call)).toEqual(await services.charge(charge, call))
  })

  it('decline the card made for it and miss what is sold out', async () => {
    const card = { token: 'tok_declined', last4: '0002' }
    const items = [{ sku: 'SOLD-OUT-MUG', quantity: 1, unitPriceCents: 1 }]

    await expect(services.charge({ orderId: 'o', cents: 1, card }, call)).rejects.toThrow(CardDeclined)
    await expect(services.reserveStock({ orderId: 'o', items }, call)).rejects.toThrow(OutOfStock)
  })

  it('are enough to fulfil an order', async () => {
    const actor = createActor(createOrderFulfilment(services).machine, { input }).start()
    await waitFor(actor, snapshot => snapshot.matches('awaitingShipment'))

    actor.send({ type: 'SHIPPED', trackingNumber: 'T-1' })

    expect(await toPromise(actor)).toMatchObject({ status: 'fulfilled', totalCents: 3_299 })
  })

  it('stop when their result is no longer wanted', async () => {
    const controller = new AbortController()
    const answer = createSimulatedServices(60_000).refund(
      { orderId: 'o' },
      { ...call, signal: controller.signal },
    )

    controller.abort()

    await expect(answer).rejects.toThrow(/aborted/)
  })
})
