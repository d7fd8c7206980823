import { assign, fromPromise, setup } from 'xstate'

import { advance, settle, type Scenario } from '../scenario.ts'

/** Submits a job and asks for its status every five seconds until it has one that is final. */
export function monitorJob(): Scenario {
  const statuses = ['QUEUED', 'RUNNING', 'SUCCEEDED']
  const machine = setup({
    types: {} as { context: { jobId: string; polls: number; status: string }; input: { name: string } },
    actors: {
      submit: fromPromise(({ input }: { input: string }) => Promise.resolve(`job-${input}`)),
      check: fromPromise(({ input }: { input: number }) => Promise.resolve(statuses[input]!)),
    },
    guards: {
      hasSucceeded: ({ context }) => context.status === 'SUCCEEDED',
      hasFailed: ({ context }) => context.status === 'FAILED',
    },
    delays: { pollInterval: 5_000 },
  }).createMachine({
    id: 'monitorJob',
    context: ({ input }) => ({ jobId: input.name, polls: 0, status: 'NEW' }),
    initial: 'submitting',
    states: {
      submitting: {
        invoke: {
          src: 'submit',
          input: ({ context }) => context.jobId,
          onDone: { target: 'waiting', actions: assign({ jobId: ({ event }) => event.output }) },
        },
      },
      waiting: { after: { pollInterval: 'checking' } },
      checking: {
        invoke: {
          src: 'check',
          input: ({ context }) => context.polls,
          onDone: {
            target: 'deciding',
            actions: assign({
              status: ({ event }) => event.output,
              polls: ({ context }) => context.polls + 1,
            }),
          },
        },
      },
      deciding: {
        always: [
          { guard: 'hasSucceeded', target: 'succeeded' },
          { guard: 'hasFailed', target: 'failed' },
          { target: 'waiting' },
        ],
      },
      succeeded: { type: 'final' },
      failed: { type: 'final' },
    },
    output: ({ context }) => context,
  })
  return {
    machine,
    input: { name: 'render' },
    script: [settle, advance(4_999), advance(1), settle, advance(5_000), settle, advance(5_000), settle],
    ends: { status: 'done', output: { jobId: 'job-render', polls: 3, status: 'SUCCEEDED' } },
  }
}
