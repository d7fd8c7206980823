import { fromPromise, setup } from 'xstate'

import { advance, send, settle, type Scenario } from '../scenario.ts'

function visaDecision(performed: string[]) {
  const report = (decision: string) =>
    fromPromise(() => {
      performed.push(decision)
      return Promise.resolve()
    })
  return setup({
    types: {} as { events: { type: 'visaApproved' } | { type: 'visaRejected' } },
    actors: { approve: report('approved'), reject: report('rejected'), giveUp: report('no decision') },
    delays: { decisionTimeout: 60 * 60 * 1000 },
  }).createMachine({
    id: 'visaDecision',
    initial: 'undecided',
    states: {
      undecided: {
        on: { visaApproved: 'approved', visaRejected: 'rejected' },
        after: { decisionTimeout: 'timedOut' },
      },
      approved: { invoke: { src: 'approve', onDone: 'ended' } },
      rejected: { invoke: { src: 'reject', onDone: 'ended' } },
      timedOut: { invoke: { src: 'giveUp', onDone: 'ended' } },
      ended: { type: 'final' },
    },
  })
}

/** Takes the branch of whichever decision arrives. */
export function eventBased(): Scenario {
  const performed: string[] = []
  return {
    machine: visaDecision(performed),
    script: [advance(60 * 60 * 1000 - 1), send('visaRejected'), settle, advance(1)],
    ends: { status: 'done', value: 'ended' },
    performed,
  }
}

/** Takes the branch of the timeout when no decision arrives. */
export function eventBasedTimeout(): Scenario {
  const performed: string[] = []
  return {
    machine: visaDecision(performed),
    script: [advance(60 * 60 * 1000), settle, send('visaApproved')],
    ends: { status: 'done', value: 'ended' },
    performed,
  }
}
