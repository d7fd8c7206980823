import { isRuntimeError } from '../../../actors/errors.ts'
import { orderFulfilment } from '../../../actors/workflows/order-fulfilment.ts'
import type { OrderInput } from '../../../actors/workflows/order-schemas.ts'
import type { Client } from '../../client/client.ts'

const address = {
  name: 'Ada Lovelace',
  street: '12 St James’s Square',
  city: 'London',
  postalCode: 'SW1Y 4JH',
  country: 'GB',
}
const card = { token: 'tok_visa', last4: '4242' }

/** One that is packed and then waits to be shipped, and two that cannot be fulfilled. */
const orders: readonly OrderInput[] = [
  {
    orderId: 'order-1001',
    items: [{ sku: 'TEAPOT', quantity: 1, unitPriceCents: 2_400 }],
    card,
    address,
  },
  {
    orderId: 'order-1002',
    items: [{ sku: 'CUP', quantity: 6, unitPriceCents: 450 }],
    card: { token: 'tok_declined', last4: '0002' },
    address,
  },
  {
    orderId: 'order-1003',
    items: [{ sku: 'SOLD-OUT-KETTLE', quantity: 1, unitPriceCents: 3_900 }],
    card,
    address,
  },
]

/** Starts the sample orders, which are the same ones however often this is done. */
export async function startSampleOrders(client: Client, signal: AbortSignal): Promise<void> {
  for (const input of orders) {
    try {
      await client.start(orderFulfilment, { id: input.orderId, input, signal, cause: 'sample' })
    } catch (error) {
      // Someone has started an order of his own under this id: it stays his.
      if (!isRuntimeError(error, 'INSTANCE_EXISTS')) throw error
    }
  }
}
