import { preciseNow, type ServedNews } from './served-node.ts'

/** Tell how many run, or when each was aborted. */
export interface CancelOrder {
  readonly type: 'count' | 'collect'
}

export type CancelNews =
  | ServedNews
  | { readonly type: 'counted'; readonly running: number }
  /** By the number of the instance, when the signal of its activity was aborted: milliseconds since the epoch. */
  | { readonly type: 'collected'; readonly abortedAt: readonly (readonly [index: number, at: number])[] }

/** Work that lasts until it is aborted, and when that was. */
export class EndlessWork {
  readonly #abortedAt = new Map<number, number>()
  #running = 0

  do(index: number, signal: AbortSignal): Promise<never> {
    this.#running++
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        if (this.#abortedAt.has(index)) throw new Error(`activity ${index} was aborted twice`)
        this.#abortedAt.set(index, preciseNow())
        this.#running--
        reject(signal.reason as Error)
      })
    })
  }

  obey({ type }: CancelOrder): CancelNews {
    if (type === 'count') return { type: 'counted', running: this.#running }
    return { type: 'collected', abortedAt: [...this.#abortedAt] }
  }
}
