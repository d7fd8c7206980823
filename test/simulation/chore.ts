import { assign, setup } from 'xstate'

import { defineWorkflow, type Workflow } from '../../src/workflow/define-workflow.ts'
import type { StandardSchema } from '../../src/workflow/schema.ts'
import { workOn, yard, type Job, type Outside } from './outside.ts'

/** Refuses a job that asks for it. */
const jobSchema: StandardSchema<Job> = {
  '~standard': {
    version: 1,
    vendor: 'simulation',
    validate: value =>
      (value as Job).isRefused === true
        ? { issues: [{ message: 'refused on purpose' }] }
        : { value: value as Job },
  },
}

/** What another instance has done for it, as a child: it waits a little, works, and fails when the work fails. */
export function choreWorkflow(outside: Outside): Workflow {
  const machine = setup({
    types: {
      context: {} as { readonly job: Job; readonly answer: string },
      input: {} as Job,
      output: {} as string,
    },
    actors: { work: workOn(outside, { pool: yard }) },
    delays: { aWhile: ({ context }) => context.job.durationMs },
  }).createMachine({
    id: 'chore',
    context: ({ input }) => ({ job: input, answer: '' }),
    initial: 'waiting',
    output: ({ context }) => context.answer,
    states: {
      waiting: { after: { aWhile: 'working' } },
      working: {
        invoke: {
          src: 'work',
          input: ({ context }) => context.job,
          onDone: { target: 'done', actions: assign({ answer: ({ event }) => event.output }) },
        },
      },
      done: { type: 'final' },
    },
  })
  return defineWorkflow(machine, { input: jobSchema })
}
