import { assign, emit, setup } from 'xstate'
import { defineWorkflow } from '../../src/index.ts'
import type { PullRequestEvent, PullRequestKey } from './pull-request-events.ts'
import { unseenPullRequest, verdictOf, withEvent } from './pull-request-facts.ts'
import type { PullRequestContext } from './pull-request-facts.ts'
import { pullRequestEvents, pullRequestInput, type PullRequestInput } from './pull-request-schemas.ts'

export interface PullRequestOutput extends PullRequestKey {
  readonly headSha: string
  readonly approvedBy: readonly string[]
  readonly counts: PullRequestContext['counts']
}

/** Emitted when nobody has pushed, reviewed or commented for too long. */
export interface ReviewStaleEvent extends PullRequestKey {
  readonly type: 'review.stale'
  readonly reviewers: readonly string[]
  /** 1 for the first time. */
  readonly reminder: number
}

const sevenDaysMs = 7 * 24 * 60 * 60 * 1000

/**
 * One pull request, driven by the webhooks of GitHub (`toPullRequestEvent` maps them).
 *
 *     tracked
 *     ├ facts      takes every webhook into the context
 *     └ lifecycle  unseen → open ⇄ closed
 *                           ├ draft
 *                           └ ready ┬ review     waiting · changesRequested · approved
 *                                   └ freshness  fresh → stale
 *     merged       final
 *
 * The first webhook may be any: a subscription can begin late, so `unseen` goes where the facts say.
 */
const machine = setup({
  types: {
    context: {} as PullRequestContext,
    events: {} as PullRequestEvent,
    input: {} as PullRequestInput,
    output: {} as PullRequestOutput,
    emitted: {} as ReviewStaleEvent,
  },
  actions: {
    noteEvent: assign(({ context, event }) => withEvent(context, event)),
    noteReminder: assign(({ context: { counts } }) => ({
      counts: { ...counts, reminders: counts.reminders + 1 },
    })),
    emitStale: emit(({ context: { counts, number, repository, reviewers } }) => ({
      type: 'review.stale',
      repository,
      number,
      reviewers,
      reminder: counts.reminders,
    })),
  },
  guards: {
    isClosed: ({ context }) => context.state === 'closed',
    isDraft: ({ context }) => context.state === 'open' && context.draft,
    isMerged: ({ context }) => context.state === 'merged',
    isReady: ({ context }) => context.state === 'open' && !context.draft,
    isVerdict: ({ context }, verdict: ReturnType<typeof verdictOf>) => verdictOf(context) === verdict,
    // These two look at the event: a guard sees the context from before the facts were taken in.
    merges: ({ event }) => event.pullRequest.state === 'merged',
    opensDraft: ({ event }) => event.pullRequest.draft === true,
  },
  delays: {
    staleAfter: ({ context }) => context.staleAfterMs,
  },
}).createMachine({
  id: 'pull-request',
  context: ({ input }) => unseenPullRequest(input, input.staleAfterMs ?? sevenDaysMs),
  initial: 'tracked',
  states: {
    tracked: {
      type: 'parallel',
      states: {
        facts: {
          // Not `*`: that would take the machine's own timers for webhooks.
          on: {
            'pull_request.*': { actions: 'noteEvent' },
            'pull_request_review.*': { actions: 'noteEvent' },
            'pull_request_review_comment.*': { actions: 'noteEvent' },
            'pull_request_review_thread.*': { actions: 'noteEvent' },
          },
        },
        lifecycle: {
          initial: 'unseen',
          states: {
            unseen: {
              always: [
                { guard: 'isMerged', target: '#pull-request.merged' },
                { guard: 'isClosed', target: 'closed' },
                { guard: 'isDraft', target: 'open.draft' },
                { guard: 'isReady', target: 'open.ready' },
              ],
            },
            open: {
              initial: 'ready',
              on: {
                'pull_request.closed': [
                  { guard: 'merges', target: '#pull-request.merged' },
                  { target: 'closed' },
                ],
              },
              states: {
                draft: { on: { 'pull_request.ready_for_review': 'ready' } },
                ready: {
                  type: 'parallel',
                  on: { 'pull_request.converted_to_draft': 'draft' },
                  states: {
                    review: {
                      initial: 'waiting',
                      states: {
                        waiting: {
                          always: [
                            { guard: { type: 'isVerdict', params: 'approved' }, target: 'approved' },
                            {
                              guard: { type: 'isVerdict', params: 'changesRequested' },
                              target: 'changesRequested',
                            },
                          ],
                        },
                        changesRequested: {
                          always: [
                            { guard: { type: 'isVerdict', params: 'approved' }, target: 'approved' },
                            { guard: { type: 'isVerdict', params: 'waiting' }, target: 'waiting' },
                          ],
                        },
                        approved: {
                          always: [
                            {
                              guard: { type: 'isVerdict', params: 'changesRequested' },
                              target: 'changesRequested',
                            },
                            { guard: { type: 'isVerdict', params: 'waiting' }, target: 'waiting' },
                          ],
                        },
                      },
                    },
                    freshness: {
                      initial: 'fresh',
                      // Entering `fresh` again starts its timer again. Labels and the like are not progress.
                      on: {
                        'pull_request.synchronize': '.fresh',
                        'pull_request_review.*': '.fresh',
                        'pull_request_review_comment.*': '.fresh',
                        'pull_request_review_thread.*': '.fresh',
                      },
                      states: {
                        fresh: { after: { staleAfter: 'stale' } },
                        stale: { entry: ['noteReminder', 'emitStale'] },
                      },
                    },
                  },
                },
              },
            },
            closed: {
              on: {
                'pull_request.reopened': [{ guard: 'opensDraft', target: 'open.draft' }, { target: 'open' }],
              },
            },
          },
        },
      },
    },
    merged: { type: 'final' },
  },
  output: ({ context: { counts, headSha, number, repository, reviews } }) => ({
    repository,
    number,
    headSha,
    approvedBy: Object.keys(reviews).filter(reviewer => reviews[reviewer] === 'approved'),
    counts,
  }),
})

export const pullRequest = defineWorkflow(machine, {
  version: 1,
  input: pullRequestInput,
  events: pullRequestEvents,
})
