import { setTimeout as delay } from 'node:timers/promises'

export interface OrderItem {
  readonly sku: string
  readonly quantity: number
  readonly unitPriceCents: number
}

/** A card as the payment provider hands it out: never the number itself. */
export interface Card {
  readonly token: string
  readonly last4: string
}

export interface PostalAddress {
  readonly name: string
  readonly street: string
  readonly city: string
  readonly postalCode: string
  /** ISO 3166 code of two letters. */
  readonly country: string
}

/** What comes with every call to an outside service. */
export interface ServiceCall {
  /** Equal keys mean the same call: the service acts on the first and answers the others alike. */
  readonly idempotencyKey: string
  readonly signal: AbortSignal
}

export interface Charge {
  readonly orderId: string
  readonly cents: number
  readonly card: Card
}

/** How an order ends that is not fulfilled. */
export type Setback = 'cancelled' | 'declined' | 'expired' | 'failed' | 'rejected'

/** What the customer is told. */
export type Notice = 'confirmed' | Setback

/** The services outside that an order needs. Each rejects when it cannot do what it is asked. */
export interface OrderServices {
  /** Rejects with {@link OutOfStock} when an article is missing. */
  reserveStock(
    order: { readonly orderId: string; readonly items: readonly OrderItem[] },
    call: ServiceCall,
  ): Promise<void>
  /** Gives back whatever is reserved for the order; does nothing when nothing is. */
  releaseStock(order: { readonly orderId: string }, call: ServiceCall): Promise<void>
  /** Rejects with {@link CardDeclined} when the bank says no: another attempt cannot change that. */
  charge(charge: Charge, call: ServiceCall): Promise<{ readonly paymentId: string }>
  /** Pays back whatever was taken for the order; does nothing when nothing was. */
  refund(order: { readonly orderId: string }, call: ServiceCall): Promise<void>
  pack(order: { readonly orderId: string }, call: ServiceCall): Promise<{ readonly parcelId: string }>
  printLabel(
    parcel: { readonly parcelId: string; readonly address: PostalAddress },
    call: ServiceCall,
  ): Promise<{ readonly labelId: string }>
  notify(message: { readonly orderId: string; readonly notice: Notice }, call: ServiceCall): Promise<void>
}

/** The bank refused the card. */
export class CardDeclined extends Error {
  override readonly name = 'CardDeclined'
}

/** There is not enough in stock. */
export class OutOfStock extends Error {
  override readonly name = 'OutOfStock'
}

/**
 * Stand-ins for the services: the same question always gets the same answer, after a short wait. Cards with
 * the token `tok_declined` are declined, articles whose SKU starts with `SOLD-OUT` are not in stock.
 */
export function createSimulatedServices(latencyMs = 30): OrderServices {
  const answer = <TAnswer>(value: TAnswer, { signal }: ServiceCall) => delay(latencyMs, value, { signal })

  return {
    async reserveStock({ items }, call) {
      await answer(undefined, call)
      const missing = items.find(({ sku }) => sku.startsWith('SOLD-OUT'))
      if (missing) throw new OutOfStock(`${missing.sku} is not in stock`)
    },
    releaseStock: (_order, call) => answer(undefined, call),
    async charge({ card, orderId }, call) {
      await answer(undefined, call)
      if (card.token === 'tok_declined')
        throw new CardDeclined(`the card ending in ${card.last4} was declined`)
      return { paymentId: `payment-${orderId}` }
    },
    refund: (_order, call) => answer(undefined, call),
    pack: ({ orderId }, call) => answer({ parcelId: `parcel-${orderId}` }, call),
    printLabel: ({ parcelId }, call) => answer({ labelId: `label-${parcelId}` }, call),
    notify: (_message, call) => answer(undefined, call),
  }
}
