import { isRuntimeError } from '../../actors/errors.ts'
import type { Address } from '../../actors/address.ts'

/** How many suspended instances are looked at, or dealt with, at the same time. */
const together = 16

/** What became of the suspended instances that somebody has dealt with. */
export interface IncidentsSettled {
  /** Those that were dealt with: they go on, or have ended. */
  readonly settled: number
  /** Those that a retry has suspended again. */
  readonly suspended: readonly Address[]
}

/** Answers what `act` makes of each, in order, with at most 16 of them under way. */
export async function* withEach<T, R>(
  all: AsyncIterable<T>,
  act: (one: T) => Promise<R>,
): AsyncGenerator<R, void, undefined> {
  const underWay: Promise<R>[] = []
  try {
    for await (const one of all) {
      underWay.push(act(one))
      if (underWay.length >= together) yield await underWay.shift()!
    }
    while (underWay.length > 0) yield await underWay.shift()!
  } finally {
    // Whoever stops early, or hears of the first error, waits for the others to be over.
    await Promise.allSettled(underWay)
  }
}

/**
 * Deals with every one of them. One that somebody else has dealt with meanwhile is left as it is.
 *
 * @throws what `act` throws, but for `STEP_FAILED`, `STEP_ENDLESS`, `INSTANCE_NOT_SUSPENDED`
 */
export async function settleEach(
  all: AsyncIterable<{ readonly address: Address }>,
  act: (address: Address) => Promise<void>,
): Promise<IncidentsSettled> {
  let settled = 0
  const suspended: Address[] = []
  const attempt = async ({ address }: { readonly address: Address }) => {
    try {
      await act(address)
      settled++
    } catch (error) {
      if (isRuntimeError(error, 'STEP_FAILED') || isRuntimeError(error, 'STEP_ENDLESS'))
        suspended.push(address)
      else if (!isRuntimeError(error, 'INSTANCE_NOT_SUSPENDED')) throw error
    }
  }
  for await (const _ of withEach(all, attempt));
  return { settled, suspended }
}
