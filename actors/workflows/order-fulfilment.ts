import { assign, setup } from 'xstate'
import { defineWorkflow } from '../../src/index.ts'
import { createOrderActivities } from './order-activities.ts'
import { orderInput, shippedEvent } from './order-schemas.ts'
import type { OrderInput, ShippedEvent } from './order-schemas.ts'
import { createSimulatedServices } from './order-services.ts'
import type { OrderServices, Setback } from './order-services.ts'

export type OrderEvent = ShippedEvent | { readonly type: 'CUSTOMER_CANCELLED'; readonly reason?: string }

/**
 * What we hold of the customer's, or may hold after a call with an unknown outcome, and so have to give back
 * if the order fails; `stuck`: giving it back failed, a person has to.
 */
export type Hold = 'none' | 'uncertain' | 'held' | 'stuck'

export interface OrderContext extends OrderInput {
  readonly shippingDeadlineMs: number
  readonly totalCents: number
  readonly stock: Hold
  readonly payment: Hold
  readonly paymentId: string | undefined
  readonly parcelId: string | undefined
  readonly labelId: string | undefined
  readonly trackingNumber: string | undefined
  /** Why the order is not going to be fulfilled. */
  readonly setback: { readonly status: Setback; readonly reason: string } | undefined
}

export interface OrderOutput {
  readonly orderId: string
  readonly status: 'fulfilled' | Setback
  readonly reason: string | undefined
  readonly totalCents: number
  readonly trackingNumber: string | undefined
  /** True when a refund or a release failed for good. */
  readonly needsAttention: boolean
}

const threeDaysMs = 3 * 24 * 60 * 60 * 1000

/**
 * One order, from the checkout to the carrier.
 *
 *     reserving → charging → fulfilling (parcel ∥ customer) → awaitingShipment → fulfilled
 *         └──────────┴────────────────┴───────────┬─────────────────┘
 *                                            compensating → compensated
 *
 * Whatever goes wrong, and when the customer cancels before the parcel is shipped, is undone in reverse order:
 * the money first, then the stock. While stock is being reserved or money taken a cancellation waits for the
 * outcome, because only then is it known what to undo.
 */
export function createOrderFulfilment(services: OrderServices = createSimulatedServices()) {
  const machine = setup({
    types: {
      context: {} as OrderContext,
      events: {} as OrderEvent,
      input: {} as OrderInput,
      output: {} as OrderOutput,
    },
    actors: createOrderActivities(services),
    actions: {
      noteCancellation: assign({
        setback: ({ context, event }) =>
          context.setback ?? {
            status: 'cancelled',
            reason: (event.type === 'CUSTOMER_CANCELLED' && event.reason) || 'cancelled by the customer',
          },
      }),
      noteSetback: assign({
        // A cancellation that came first stays the reason.
        setback: ({ context }, setback: { status: Setback; reason: string }) => context.setback ?? setback,
      }),
      noteShipment: assign({
        trackingNumber: ({ context, event }) =>
          event.type === 'SHIPPED' ? event.trackingNumber : context.trackingNumber,
      }),
    },
    guards: {
      isCancelled: ({ context }) => context.setback !== undefined,
      isShipped: ({ context }) => context.trackingNumber !== undefined,
      isNotShipped: ({ context }) => context.trackingNumber === undefined,
      owesMoney: ({ context }) => owes(context.payment),
      owesStock: ({ context }) => owes(context.stock),
    },
    delays: {
      shippingDeadline: ({ context }) => context.shippingDeadlineMs,
    },
  }).createMachine({
    id: 'order-fulfilment',
    context: ({ input }) => ({
      ...input,
      shippingDeadlineMs: input.shippingDeadlineMs ?? threeDaysMs,
      totalCents: input.items.reduce((sum, item) => sum + item.quantity * item.unitPriceCents, 0),
      stock: 'none',
      payment: 'none',
      paymentId: undefined,
      parcelId: undefined,
      labelId: undefined,
      trackingNumber: undefined,
      setback: undefined,
    }),
    initial: 'reserving',
    states: {
      reserving: {
        on: { CUSTOMER_CANCELLED: { actions: 'noteCancellation' } },
        invoke: {
          src: 'reserveStock',
          input: ({ context: { orderId, items } }) => ({ orderId, items }),
          onDone: [
            { guard: 'isCancelled', target: 'compensating', actions: assign({ stock: 'held' }) },
            { target: 'charging', actions: assign({ stock: 'held' }) },
          ],
          onError: {
            target: 'compensating',
            actions: [
              assign({ stock: ({ event }) => (isNamed(event.error, 'OutOfStock') ? 'none' : 'uncertain') }),
              { type: 'noteSetback', params: ({ event }) => setbackOf(event.error) },
            ],
          },
        },
      },
      charging: {
        on: { CUSTOMER_CANCELLED: { actions: 'noteCancellation' } },
        invoke: {
          src: 'charge',
          input: ({ context: { orderId, card, totalCents } }) => ({ orderId, card, cents: totalCents }),
          onDone: [
            {
              guard: 'isCancelled',
              target: 'compensating',
              actions: assign({ payment: 'held', paymentId: ({ event }) => event.output.paymentId }),
            },
            {
              target: 'fulfilling',
              actions: assign({ payment: 'held', paymentId: ({ event }) => event.output.paymentId }),
            },
          ],
          onError: {
            target: 'compensating',
            actions: [
              assign({
                payment: ({ event }) => (isNamed(event.error, 'CardDeclined') ? 'none' : 'uncertain'),
              }),
              { type: 'noteSetback', params: ({ event }) => setbackOf(event.error) },
            ],
          },
        },
      },
      fulfilling: {
        on: {
          // The carrier may be quicker than our message to the customer.
          SHIPPED: { actions: 'noteShipment' },
          CUSTOMER_CANCELLED: { guard: 'isNotShipped', target: 'compensating', actions: 'noteCancellation' },
        },
        type: 'parallel',
        states: {
          parcel: {
            initial: 'packing',
            states: {
              packing: {
                invoke: {
                  src: 'pack',
                  input: ({ context: { orderId } }) => ({ orderId }),
                  onDone: {
                    target: 'labelling',
                    actions: assign({ parcelId: ({ event }) => event.output.parcelId }),
                  },
                  onError: {
                    target: '#order-fulfilment.compensating',
                    actions: { type: 'noteSetback', params: ({ event }) => setbackOf(event.error) },
                  },
                },
              },
              labelling: {
                invoke: {
                  src: 'printLabel',
                  input: ({ context: { address, parcelId } }) => ({ address, parcelId: parcelId! }),
                  onDone: {
                    target: 'packed',
                    actions: assign({ labelId: ({ event }) => event.output.labelId }),
                  },
                  onError: {
                    target: '#order-fulfilment.compensating',
                    actions: { type: 'noteSetback', params: ({ event }) => setbackOf(event.error) },
                  },
                },
              },
              packed: { type: 'final' },
            },
          },
          customer: {
            initial: 'informing',
            states: {
              informing: {
                invoke: {
                  src: 'notify',
                  input: ({ context: { orderId } }) => ({ orderId, notice: 'confirmed' as const }),
                  onDone: 'informed',
                  // An order does not fail for a message that cannot be delivered.
                  onError: 'unreachable',
                },
              },
              informed: { type: 'final' },
              unreachable: { type: 'final' },
            },
          },
        },
        onDone: 'awaitingShipment',
      },
      awaitingShipment: {
        always: { guard: 'isShipped', target: 'fulfilled' },
        on: {
          SHIPPED: { actions: 'noteShipment' },
          CUSTOMER_CANCELLED: { target: 'compensating', actions: 'noteCancellation' },
        },
        after: {
          shippingDeadline: {
            target: 'compensating',
            actions: {
              type: 'noteSetback',
              params: { status: 'expired', reason: 'the parcel was not shipped in time' },
            },
          },
        },
      },
      compensating: {
        initial: 'deciding',
        states: {
          deciding: {
            always: [
              { guard: 'owesMoney', target: 'refunding' },
              { guard: 'owesStock', target: 'releasing' },
              { target: 'informing' },
            ],
          },
          refunding: {
            invoke: {
              src: 'refund',
              input: ({ context: { orderId } }) => ({ orderId }),
              onDone: { target: 'deciding', actions: assign({ payment: 'none' }) },
              onError: { target: 'deciding', actions: assign({ payment: 'stuck' }) },
            },
          },
          releasing: {
            invoke: {
              src: 'releaseStock',
              input: ({ context: { orderId } }) => ({ orderId }),
              onDone: { target: 'deciding', actions: assign({ stock: 'none' }) },
              onError: { target: 'deciding', actions: assign({ stock: 'stuck' }) },
            },
          },
          informing: {
            invoke: {
              src: 'notify',
              input: ({ context: { orderId, setback } }) => ({ orderId, notice: setback!.status }),
              onDone: 'informed',
              onError: 'unreachable',
            },
          },
          informed: { type: 'final' },
          unreachable: { type: 'final' },
        },
        onDone: 'compensated',
      },
      fulfilled: { type: 'final' },
      compensated: { type: 'final' },
    },
    output: ({ context: { orderId, payment, setback, stock, totalCents, trackingNumber } }) => ({
      orderId,
      status: setback?.status ?? 'fulfilled',
      reason: setback?.reason,
      totalCents,
      trackingNumber,
      needsAttention: payment === 'stuck' || stock === 'stuck',
    }),
  })
  return defineWorkflow(machine, { version: 1, input: orderInput, events: { SHIPPED: shippedEvent } })
}

/** With stand-ins for the services outside; `createOrderFulfilment` takes real ones. */
export const orderFulfilment = createOrderFulfilment()

function owes(hold: Hold): boolean {
  return hold === 'held' || hold === 'uncertain'
}

function setbackOf(error: unknown): { status: Setback; reason: string } {
  const status = isNamed(error, 'OutOfStock')
    ? 'rejected'
    : isNamed(error, 'CardDeclined')
      ? 'declined'
      : 'failed'
  return { status, reason: error instanceof Error ? error.message : String(error) }
}

/** By name, because an error that was stored and read again has lost its class. */
function isNamed(error: unknown, name: string): boolean {
  return (error as { name?: unknown } | null | undefined)?.name === name
}
