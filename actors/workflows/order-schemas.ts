import type { SchemaIssue } from '../../src/index.ts'
import { at, schemaOf, textIssues, wholeNumberIssues } from './issues.ts'
import type { Card, OrderItem, PostalAddress } from './order-services.ts'

/** What an order is started with. */
export interface OrderInput {
  readonly orderId: string
  /** At least one. */
  readonly items: readonly OrderItem[]
  readonly card: Card
  readonly address: PostalAddress
  /** How long the parcel may wait for the carrier before everything is undone. Default three days. */
  readonly shippingDeadlineMs?: number
}

/** The carrier has the parcel. */
export interface ShippedEvent {
  readonly type: 'SHIPPED'
  readonly trackingNumber: string
}

export const orderInput = schemaOf<OrderInput>(inputIssues)

export const shippedEvent = schemaOf<ShippedEvent>(event => textIssues(event, ['trackingNumber']))

function* inputIssues(input: unknown): Generator<SchemaIssue> {
  yield* textIssues(input, ['orderId'])
  const items = at(input, ['items'])
  if (!Array.isArray(items) || items.length === 0) {
    yield { path: ['items'], message: 'must be a list of at least one item' }
  }
  for (const index of Array.isArray(items) ? items.keys() : []) {
    yield* textIssues(input, ['items', index, 'sku'])
    yield* wholeNumberIssues(input, ['items', index, 'quantity'], 1)
    yield* wholeNumberIssues(input, ['items', index, 'unitPriceCents'], 0)
  }
  for (const key of ['token', 'last4']) yield* textIssues(input, ['card', key])
  for (const key of ['name', 'street', 'city', 'postalCode', 'country'])
    yield* textIssues(input, ['address', key])
  if (at(input, ['shippingDeadlineMs']) !== undefined) {
    yield* wholeNumberIssues(input, ['shippingDeadlineMs'], 0)
  }
}
