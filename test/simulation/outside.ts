import { fromPromise } from 'xstate'

import type { ActivityContext } from '../../actors/activity.ts'
import { isRuntimeError } from '../../actors/errors.ts'
import { activity } from '../../src/workflow/activity.ts'
import { pool, type PoolLogic } from '../../src/workflow/pool.ts'
import { remoteActivity } from '../../src/workflow/remote-activity.ts'
import type { Beat } from './attempts.ts'

/** The world outside the machines, as one process has it. */
export interface Outside {
  sleep(delayMs: number): Promise<void>
  /** An attempt begins, and is told of that heartbeat. */
  ran(idempotencyKey: string, attempt: number, lastHeartbeat: unknown): void
  /** An attempt that is still wanted says how far it is. */
  beats(idempotencyKey: string, beat: Beat): void
  /** An attempt has failed by itself. */
  failed(idempotencyKey: string): void
  /**
   * A machine is about to write that down.
   *
   * @throws Error when it has a bug there
   */
  writing(entry: string): void
  /** A custom action runs. */
  acted(tag: string): void
}

/** Work for an activity, as an event asks for it. */
export interface Job {
  readonly tag: string
  readonly durationMs: number
  /** So many attempts fail. */
  readonly failures: number
  /** How long it may take, or how long to wait before it is begun. */
  readonly patienceMs: number
  /** Whether the schema of whoever is asked to do it refuses it. */
  readonly isRefused?: boolean
}

/** What takes less time says nothing of how far it is. */
const leastBeatingMs = 100

/** Whether it fails, whatever else happens: as one of a fleet. */
export function fails({ failures, isRefused = false }: Job): boolean {
  return isRefused || failures > 0
}

/** Each attempt of a chore needs a permit of it. */
export const yard: PoolLogic = pool({ name: 'yard', permits: 2 })

interface WorkOptions {
  readonly pool?: PoolLogic
  /** How long all attempts may take. */
  readonly total?: '4s'
}

/** An activity that takes its time, and fails as often as it is asked to. */
export function workOn(
  outside: Outside,
  { total, ...pooled }: WorkOptions,
): ReturnType<typeof activity<Job, string>> {
  return activity({
    ...pooled,
    name: 'work',
    retry: { maxAttempts: 3, initialInterval: '100ms', jitter: 0.2 },
    restart: { intensity: 3, period: '5s' },
    timeout: { attempt: '1500ms', ...(total && { total }) },
    run: async ({
      input,
      attempt,
      heartbeat,
      idempotencyKey,
      lastHeartbeat,
      signal,
    }: ActivityContext<Job>) => {
      outside.ran(idempotencyKey, attempt, lastHeartbeat)
      const beat = (count: number) => {
        if (input.durationMs < leastBeatingMs || signal.aborted) return
        outside.beats(idempotencyKey, { attempt, count })
        heartbeat({ attempt, count })
      }
      signal.addEventListener('abort', () => {
        if (isRuntimeError(signal.reason, 'ACTIVITY_TIMEOUT')) outside.failed(idempotencyKey)
      })
      beat(1)
      await outside.sleep(input.durationMs / 2)
      beat(2)
      await outside.sleep(input.durationMs / 2)
      if (attempt > input.failures || signal.aborted) return input.tag
      outside.failed(idempotencyKey)
      throw new Error(`attempt ${attempt} fails on purpose`)
    },
  })
}

/** What workers do in other processes. */
export const order: ReturnType<typeof remoteActivity<Job, string>> = remoteActivity({
  name: 'order',
  retry: { maxAttempts: 3, initialInterval: '100ms', jitter: 0.2 },
  timeout: { attempt: '2500ms', heartbeat: '900ms', total: '8s' },
})

/** A plain promise: whoever asks gets the tag back. */
export function askOf(outside: Outside): ReturnType<typeof fromPromise<string, Job>> {
  return fromPromise<string, Job>(async ({ input }) => {
    await outside.sleep(input.durationMs)
    return input.tag
  })
}
