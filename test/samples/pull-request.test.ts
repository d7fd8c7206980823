import { describe, expect, it } from 'vitest'
import { createActor, SimulatedClock, toPromise } from 'xstate'
import { toPullRequestEvent } from '../../actors/workflows/pull-request-events.ts'
import type { PullRequestEvent } from '../../actors/workflows/pull-request-events.ts'
import { timelineLength } from '../../actors/workflows/pull-request-facts.ts'
import { pullRequest } from '../../actors/workflows/pull-request.ts'
import type { ReviewStaleEvent } from '../../actors/workflows/pull-request.ts'
import type { PullRequestInput } from '../../actors/workflows/pull-request-schemas.ts'
import { webhook } from './webhooks.ts'

const sevenDaysMs = 7 * 24 * 60 * 60 * 1000

function start(input: Partial<PullRequestInput> = {}) {
  const clock = new SimulatedClock()
  const emitted: ReviewStaleEvent[] = []
  const actor = createActor(pullRequest.machine, {
    clock,
    input: { repository: 'Codertocat/Hello-World', number: 2, ...input },
  })
  actor.on('review.stale', event => emitted.push(event))
  actor.start()
  const send = (step: string, change: Change = {}) => {
    actor.send(eventOf(step, change))
    return actor.getSnapshot()
  }
  const lifecycle = () => {
    const { value } = actor.getSnapshot()
    return typeof value === 'string' ? value : value.tracked.lifecycle
  }
  return { actor, clock, emitted, lifecycle, send }
}

/** What a test changes in a published webhook: nothing in them is ever approved or merged. */
interface Change {
  readonly pullRequest?: object
  readonly review?: { readonly state?: string; readonly user?: { readonly login: string } }
}

function eventOf(step: string, change: Change): PullRequestEvent {
  const { name, payload } = webhook(step)
  const mapped = toPullRequestEvent(name, {
    ...payload,
    pull_request: { ...payload.pull_request, ...change.pullRequest },
    review: { ...payload.review, ...change.review },
  })
  if (mapped === undefined) throw new Error(`${step} is not mapped`)
  return mapped.event
}

const ready = (review: string, freshness = 'fresh') => ({ open: { ready: { review, freshness } } })

describe('a pull request', () => {
  it('waits for its first webhook', () => {
    expect(start().lifecycle()).toBe('unseen')
  })

  it.each([
    ['pull_request.opened', {}, ready('waiting')],
    ['pull_request.opened', { draft: true }, { open: 'draft' }],
    ['pull_request_review_thread.resolved', {}, ready('waiting')],
    ['pull_request.closed', {}, 'closed'],
    ['pull_request.closed', { merged: true }, 'merged'],
  ])('is taken up at whatever it is first heard of: %s %j', (step, change, expected) => {
    const { lifecycle, send } = start()

    send(step, { pullRequest: change })

    expect(lifecycle()).toEqual(expected)
  })

  it('becomes a draft and ready again', () => {
    const { lifecycle, send } = start()
    send('pull_request.opened')

    send('pull_request.converted_to_draft')
    expect(lifecycle()).toEqual({ open: 'draft' })
    send('pull_request.ready_for_review')

    expect(lifecycle()).toEqual(ready('waiting'))
  })

  it('is closed, and reopened as what it is then', () => {
    const { lifecycle, send } = start()
    send('pull_request.opened')

    send('pull_request.closed')
    expect(lifecycle()).toBe('closed')
    send('pull_request.reopened', { pullRequest: { draft: true } })
    expect(lifecycle()).toEqual({ open: 'draft' })
    send('pull_request.closed')
    send('pull_request.reopened')

    expect(lifecycle()).toEqual(ready('waiting'))
  })

  it('ends when it is merged, saying who approved what', async () => {
    const { actor, send } = start()
    send('pull_request.opened')
    send('pull_request_review.submitted', { review: { state: 'approved', user: { login: 'octocat' } } })

    const { status } = send('pull_request.closed', { pullRequest: { merged: true } })

    expect(status).toBe('done')
    expect(await toPromise(actor)).toEqual({
      repository: 'Codertocat/Hello-World',
      number: 2,
      headSha: 'ec26c3e57ca3a959ca5aad62de7213c562f8c821',
      approvedBy: ['octocat'],
      counts: { webhooks: 3, pushes: 0, reviews: 1, comments: 0, resolvedThreads: 0, reminders: 0 },
    })
  })

  it('is approved by one, unless another requests changes', () => {
    const { lifecycle, send } = start()
    const review = (state: string, login: string) =>
      send('pull_request_review.submitted', { review: { state, user: { login } } })
    send('pull_request.opened')

    review('approved', 'ada')
    expect(lifecycle()).toEqual(ready('approved'))
    review('changes_requested', 'bob')
    expect(lifecycle()).toEqual(ready('changesRequested'))
    review('approved', 'bob')

    expect(lifecycle()).toEqual(ready('approved'))
  })

  it('keeps a verdict when its author only comments, and loses it when it is dismissed', () => {
    const { lifecycle, send } = start()
    const user = { login: 'ada' }
    send('pull_request.opened')
    send('pull_request_review.submitted', { review: { state: 'changes_requested', user } })

    send('pull_request_review.submitted', { review: { state: 'commented', user } })
    expect(lifecycle()).toEqual(ready('changesRequested'))
    const { context } = send('pull_request_review.dismissed', { review: { user } })

    expect(lifecycle()).toEqual(ready('waiting'))
    expect(context.reviews).toEqual({ ada: 'dismissed' })
  })

  it('loses its approvals to new commits, but no request for changes', () => {
    const { lifecycle, send } = start()
    send('pull_request.opened')
    send('pull_request_review.submitted', { review: { state: 'approved', user: { login: 'ada' } } })

    const { context } = send('pull_request.synchronize', { pullRequest: { head: { sha: 'f00' } } })
    expect(lifecycle()).toEqual(ready('waiting'))
    expect(context).toMatchObject({ headSha: 'f00', reviews: { ada: 'outdated' }, counts: { pushes: 1 } })
    send('pull_request_review.submitted', { review: { state: 'changes_requested', user: { login: 'ada' } } })
    send('pull_request.synchronize')

    expect(lifecycle()).toEqual(ready('changesRequested'))
  })

  it('remembers reviews it got as a draft', () => {
    const { lifecycle, send } = start()
    send('pull_request.opened', { pullRequest: { draft: true } })
    send('pull_request_review.submitted', { review: { state: 'approved' }, pullRequest: { draft: true } })

    send('pull_request.ready_for_review')

    expect(lifecycle()).toEqual(ready('approved'))
  })

  it('goes stale after seven days without progress, once, and says so', () => {
    const { clock, emitted, lifecycle, send } = start()
    send('pull_request.opened')
    clock.increment(sevenDaysMs - 1)
    send('pull_request_review_comment.created')
    clock.increment(sevenDaysMs - 1)
    send('pull_request.labeled')
    expect(lifecycle()).toEqual(ready('waiting', 'fresh'))

    clock.increment(1)

    expect(lifecycle()).toEqual(ready('waiting', 'stale'))
    clock.increment(sevenDaysMs)
    expect(emitted).toEqual([
      {
        type: 'review.stale',
        repository: 'Codertocat/Hello-World',
        number: 2,
        reviewers: ['octocat'],
        reminder: 1,
      },
    ])
    expect(send('pull_request.synchronize').context.counts.reminders).toBe(1)
    expect(lifecycle()).toEqual(ready('waiting', 'fresh'))
  })

  it('takes the time to go stale from its input, and does not go stale as a draft', () => {
    const { clock, lifecycle, send } = start({ staleAfterMs: 10 })
    send('pull_request.opened', { pullRequest: { draft: true } })
    clock.increment(10)
    expect(lifecycle()).toEqual({ open: 'draft' })

    send('pull_request.ready_for_review')
    clock.increment(10)

    expect(lifecycle()).toEqual(ready('waiting', 'stale'))
  })

  it('follows labels, assignees and reviewers even where a webhook is one step behind', () => {
    const { send } = start()
    const none = { pullRequest: { labels: [], assignees: [], requested_reviewers: [] } }
    const all = {
      pullRequest: {
        labels: [{ name: 'bug' }],
        assignees: [{ login: 'Codertocat' }],
        requested_reviewers: [{ login: 'octocat' }],
      },
    }

    expect(send('pull_request.labeled', none).context.labels).toEqual(['bug'])
    expect(send('pull_request.unlabeled', all).context.labels).toEqual([])
    expect(send('pull_request.assigned', none).context.assignees).toEqual(['Codertocat'])
    expect(send('pull_request.unassigned', all).context.assignees).toEqual([])
    expect(send('pull_request.review_requested', none).context.reviewers).toEqual(['octocat'])
    expect(send('pull_request.review_request_removed', all).context.reviewers).toEqual([])
  })

  it('counts comments and threads, never below zero', () => {
    const { send } = start()

    send('pull_request_review_comment.deleted')
    send('pull_request_review_thread.unresolved')
    send('pull_request_review_comment.created')
    const { context } = send('pull_request_review_thread.resolved')

    expect(context.counts).toMatchObject({ webhooks: 4, comments: 1, resolvedThreads: 1 })
  })

  it('remembers the newest facts in words, and no more than it should', () => {
    const { send } = start()
    send('pull_request.opened')
    for (let n = 0; n < timelineLength; n++) send('pull_request.labeled')
    send('pull_request_review_comment.created')
    const { context } = send('pull_request_review.submitted')

    expect(context.timeline).toHaveLength(timelineLength)
    expect(context.timeline.slice(-3)).toEqual([
      { at: '2019-05-15T15:20:35Z', by: 'Codertocat', what: 'labeled bug' },
      { at: '2019-05-15T15:20:38Z', by: 'Codertocat', what: 'comment created on README.md' },
      { at: '2019-05-15T15:20:38Z', by: 'Codertocat', what: 'review commented' },
    ])
    expect(context.timeline[0]).toMatchObject({ what: 'labeled bug' })
  })
})
