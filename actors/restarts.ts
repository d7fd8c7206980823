/** What went wrong. */
export interface Failure {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly code?: string
  readonly message: string
}

/** How often something had to begin anew because it failed. */
export interface Restarts {
  /** Since its supervisor began. */
  readonly count: number
  /** The last failures, newest last: at most {@link keptFailures}. */
  readonly failures: readonly Failure[]
}

export const keptFailures = 5

export const noRestarts: Restarts = Object.freeze({ count: 0, failures: Object.freeze([]) })

/** What is known once it has failed another time. */
export function withFailure({ count, failures }: Restarts, failure: Failure): Restarts {
  return { count: count + 1, failures: [...failures.slice(1 - keptFailures), failure] }
}
