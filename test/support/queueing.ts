import { assign, setup } from 'xstate'

import type { PooledOptions, QueueingOptions, RetryOptions, TimeoutOptions } from '../../src/index.ts'
import { activity } from '../../src/workflow/activity.ts'
import { defineWorkflow } from '../../src/workflow/define-workflow.ts'

/** What a {@link jobOf} instance is to do. */
export interface Job {
  readonly name: string
  readonly customer?: string
  readonly priority?: number
}

/** An attempt that has begun. */
export interface Begun {
  readonly name: string
  readonly attempt: number
  readonly signal: AbortSignal
  finish(): void
  fail(error: Error): void
}

/** Those that have begun, in order, and how many of them run. */
export class Site {
  readonly begun: Begun[] = []
  running = 0
  mostRunning = 0

  get names(): string[] {
    return this.begun.map(({ name }) => name)
  }

  /** The attempt that began last of that name. */
  of(name: string): Begun {
    return this.begun.findLast(each => each.name === name)!
  }

  async work({ input, attempt, signal }: Call): Promise<string> {
    this.running++
    this.mostRunning = Math.max(this.mostRunning, this.running)
    try {
      await new Promise<void>((finish, fail) => {
        this.begun.push({ name: input.name, attempt, signal, finish, fail })
      })
      return `${input.name}, attempt ${attempt}`
    } finally {
      this.running--
    }
  }
}

interface Call {
  readonly input: Job
  readonly attempt: number
  readonly signal: AbortSignal
}

/** Does one job through an activity that is held to limits, unless it leaves before. */
export function jobOf(
  site: Site,
  options: QueueingOptions<Job> &
    PooledOptions & { readonly retry?: RetryOptions; readonly timeout?: TimeoutOptions },
  name = 'job',
) {
  return defineWorkflow(
    setup({
      types: {
        context: {} as { readonly job: Job; readonly answer: string },
        events: {} as { type: 'LEAVE' },
        input: {} as Job,
      },
      actors: { work: activity({ name: 'work', ...options, run: (call: Call) => site.work(call) }) },
    }).createMachine({
      id: name,
      context: ({ input }) => ({ job: input, answer: '' }),
      initial: 'working',
      states: {
        working: {
          on: { LEAVE: 'left' },
          invoke: {
            src: 'work',
            input: ({ context }) => context.job,
            onDone: { target: 'done', actions: assign({ answer: ({ event }) => event.output }) },
            onError: { target: 'failed', actions: assign({ answer: ({ event }) => codeOf(event.error) }) },
          },
        },
        done: { type: 'final' },
        failed: { type: 'final' },
        left: { type: 'final' },
      },
    }),
  )
}

function codeOf(error: unknown): string {
  return String((error as { readonly code?: unknown }).code)
}
