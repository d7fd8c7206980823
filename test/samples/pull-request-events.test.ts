import type { EventPayloadMap } from '@octokit/webhooks-types'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { toPullRequestEvent } from '../../actors/workflows/pull-request-events.ts'
import type { PullRequestEvent } from '../../actors/workflows/pull-request-events.ts'
import { errorOf } from '../workflow/error-of.ts'
import { definitionsOf, family, webhook } from './webhooks.ts'

function map(step: string, change: object = {}) {
  const { name, payload } = webhook(step)
  return toPullRequestEvent(name, { ...payload, ...change })
}

describe('toPullRequestEvent', () => {
  it.each(['api.github.com', 'ghes-31', 'ghes-32', 'ghes-33', 'ghes-34', 'ghes-35'])(
    'maps every payload of the family published for %s',
    kind => {
      const definitions = definitionsOf(kind).filter(({ name }) =>
        (family as readonly string[]).includes(name),
      )
      const webhooks = definitions.flatMap(({ name, examples }) =>
        examples.map(payload => ({ name, payload })),
      )

      expect(webhooks.length).toBeGreaterThanOrEqual(4)
      for (const { name, payload } of webhooks) {
        expect(toPullRequestEvent(name, payload)).toMatchObject({
          id: expect.stringMatching(/^[\w-]+\/[\w-]+#\d+$/),
          event: { type: `${name}.${payload.action}` },
        })
      }
    },
  )

  it('maps every action GitHub lists for the family', () => {
    const carrying = {
      label: { name: 'bug' },
      assignee: { login: 'octocat' },
      requested_reviewer: { login: 'octocat' },
    }
    for (const { name, actions, examples } of definitionsOf('api.github.com')) {
      for (const action of (family as readonly string[]).includes(name) ? actions : []) {
        expect(toPullRequestEvent(name, { ...examples[0], ...carrying, action })?.event.type).toBe(
          `${name}.${action}`,
        )
      }
    }
  })

  it('has an event type for every action in the published types', () => {
    type Published = {
      [TName in (typeof family)[number]]: `${TName}.${EventPayloadMap[TName]['action']}`
    }[(typeof family)[number]]

    expectTypeOf<Exclude<Published, PullRequestEvent['type']>>().toEqualTypeOf<never>()
  })

  it('keeps what matters of a pull request', () => {
    expect(map('pull_request.labeled')).toEqual({
      id: 'Codertocat/Hello-World#2',
      input: { repository: 'Codertocat/Hello-World', number: 2 },
      event: {
        type: 'pull_request.labeled',
        at: '2019-05-15T15:20:35Z',
        by: 'Codertocat',
        label: 'bug',
        pullRequest: {
          repository: 'Codertocat/Hello-World',
          number: 2,
          title: 'Update the README with new information.',
          author: 'Codertocat',
          state: 'open',
          draft: false,
          headSha: 'ec26c3e57ca3a959ca5aad62de7213c562f8c821',
          labels: ['bug'],
          assignees: ['Codertocat'],
          reviewers: ['octocat'],
        },
      },
    })
  })

  it('adds what is special about each kind of event', () => {
    expect(map('pull_request.assigned')?.event).toMatchObject({ assignee: 'Codertocat' })
    expect(map('pull_request.review_requested')?.event).toMatchObject({ reviewer: 'octocat' })
    expect(map('pull_request_review.dismissed')?.event).toMatchObject({
      review: { author: 'Codertocat', verdict: 'dismissed' },
    })
    expect(map('pull_request_review_comment.created')?.event).toMatchObject({
      comment: { id: 284312630, path: 'README.md' },
    })
    expect(map('pull_request_review_thread.unresolved')?.event).toMatchObject({
      threadId: expect.any(String),
    })
  })

  it.each([
    ['approved', 'approved'],
    ['APPROVED', 'approved'],
    ['changes_requested', 'changes_requested'],
    ['commented', 'commented'],
    ['pending', 'commented'],
  ])('reads a review that is %s as %s', (state, verdict) => {
    const { review } = webhook('pull_request_review.submitted').payload

    expect(map('pull_request_review.submitted', { review: { ...review, state } })?.event).toMatchObject({
      review: { verdict },
    })
  })

  it.each([
    [{ state: 'closed', merged: true }, 'merged'],
    [{ state: 'closed', merged: false }, 'closed'],
    [{ state: 'closed', merged: undefined, merged_at: '2019-05-15T15:21:18Z' }, 'merged'],
    [{ state: 'closed', merged: undefined, merged_at: null }, 'closed'],
  ])('reads %j as %s', (change, state) => {
    const { pull_request: pullRequest } = webhook('pull_request.closed').payload

    expect(
      map('pull_request.closed', { pull_request: { ...pullRequest, ...change } })?.event.pullRequest.state,
    ).toBe(state)
  })

  it('knows teams by slug and deleted users as ghost', () => {
    const { payload } = webhook('pull_request.review_requested')
    const change = {
      requested_reviewer: undefined,
      requested_team: { slug: 'core' },
      pull_request: { ...payload.pull_request, user: null, requested_teams: [{ slug: 'core' }] },
    }

    const mapped = map('pull_request.review_requested', change)

    expect(mapped?.event).toMatchObject({
      reviewer: '@core',
      pullRequest: { author: 'ghost', reviewers: ['octocat', '@core'] },
    })
  })

  it('gives the same answer for the same webhook, and the same input for one pull request', () => {
    expect(map('pull_request.opened')).toEqual(map('pull_request.opened'))
    expect(map('pull_request.closed')?.input).toEqual(map('pull_request.opened')?.input)
  })

  it('ignores webhooks that are not about a pull request, and actions it does not know', () => {
    expect(toPullRequestEvent('push', { ref: 'refs/heads/main' })).toBeUndefined()
    expect(toPullRequestEvent('issues', webhook('pull_request.opened').payload)).toBeUndefined()
    expect(map('pull_request.opened', { action: 'teleported' })).toBeUndefined()
    expect(map('pull_request_review.submitted', { action: 'opened' })).toBeUndefined()
  })

  it.each([
    ['pull_request.opened', { pull_request: null }, 'repository.full_name', { repository: {} }],
    ['pull_request.opened', { sender: { login: 5 } }, 'sender.login', {}],
    ['pull_request.labeled', { label: undefined }, 'label.name', {}],
  ])('names the field when %s is not what GitHub sends', (step, change, field, more) => {
    const error = errorOf(() => map(step, { ...change, ...more }))

    expect(error.code).toBe('EVENT_INVALID')
    expect(error.fields).toEqual({ field })
  })
})
