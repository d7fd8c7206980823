import { activity } from '../../src/index.ts'
import type { ActivityContext, RetryOptions } from '../../src/index.ts'
import type { Charge, Notice, OrderItem, OrderServices, PostalAddress } from './order-services.ts'

/** For what must happen in the end: taking back what was already done. */
const persistent: RetryOptions = { maxAttempts: 20, initialInterval: '500ms', maxInterval: '1m' }
const brief: RetryOptions = { maxAttempts: 3, initialInterval: '200ms' }

/** The work of an order, done by these services. */
export function createOrderActivities(services: OrderServices) {
  return {
    reserveStock: activity({
      name: 'reserve-stock',
      retry: { ...brief, nonRetryable: ['OutOfStock'] },
      timeout: { attempt: '10s' },
      run: ({ input, ...call }: ActivityContext<{ orderId: string; items: readonly OrderItem[] }>) =>
        services.reserveStock(input, call),
    }),
    releaseStock: activity({
      name: 'release-stock',
      retry: persistent,
      timeout: { attempt: '10s' },
      run: ({ input, ...call }: ActivityContext<{ orderId: string }>) => services.releaseStock(input, call),
    }),
    charge: activity({
      name: 'charge',
      retry: {
        maxAttempts: 5,
        initialInterval: '200ms',
        backoff: 2,
        maxInterval: '30s',
        nonRetryable: ['CardDeclined'],
      },
      timeout: { attempt: '10s' },
      run: async ({ input, attempt, log, ...call }: ActivityContext<Charge>) => {
        log.info({ orderId: input.orderId, cents: input.cents, attempt }, 'charging')
        return services.charge(input, call)
      },
    }),
    refund: activity({
      name: 'refund',
      retry: persistent,
      timeout: { attempt: '10s' },
      run: ({ input, ...call }: ActivityContext<{ orderId: string }>) => services.refund(input, call),
    }),
    pack: activity({
      name: 'pack',
      retry: brief,
      run: ({ input, ...call }: ActivityContext<{ orderId: string }>) => services.pack(input, call),
    }),
    printLabel: activity({
      name: 'print-label',
      retry: brief,
      timeout: { attempt: '10s' },
      run: ({ input, ...call }: ActivityContext<{ parcelId: string; address: PostalAddress }>) =>
        services.printLabel(input, call),
    }),
    notify: activity({
      name: 'notify',
      retry: brief,
      timeout: { attempt: '10s' },
      run: ({ input, ...call }: ActivityContext<{ orderId: string; notice: Notice }>) =>
        services.notify(input, call),
    }),
  }
}
