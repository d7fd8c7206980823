import { describe, expect, it } from 'vitest'
import { toPullRequestEvent } from '../../actors/workflows/pull-request-events.ts'
import { pullRequest } from '../../actors/workflows/pull-request.ts'
import { validate } from '../../src/workflow/schema.ts'
import { errorOf } from '../workflow/error-of.ts'
import { definitionsOf, webhook } from './webhooks.ts'

const { eventSchemas, inputSchema } = pullRequest

/** What is wrong with the event of a published webhook once it has been changed. */
function issuesOf(step: string, change: object): unknown {
  const { name, payload } = webhook(step)
  const { event } = toPullRequestEvent(name, payload)!
  return errorOf(() => validate(eventSchemas[event.type]!, { ...event, ...change }, 'event')).fields['issues']
}

describe('the schemas of the pull request workflow', () => {
  it('take the event and the input of every published webhook', () => {
    const mapped = ['api.github.com', 'ghes-31', 'ghes-35']
      .flatMap(definitionsOf)
      .flatMap(({ name, examples }) => examples.map(payload => toPullRequestEvent(name, payload)))
      .filter(one => one !== undefined)

    expect(mapped.length).toBeGreaterThan(40)
    for (const { event, input } of mapped) {
      expect(validate(eventSchemas[event.type]!, event, 'event')).toBe(event)
      expect(validate(inputSchema!, input, 'input')).toBe(input)
    }
  })

  it.each<[string, object, string, string]>([
    ['pull_request.opened', { at: 5 }, 'event.at', 'must be text'],
    ['pull_request.opened', { by: '' }, 'event.by', 'must be text'],
    ['pull_request.labeled', { label: null }, 'event.label', 'must be text'],
    ['pull_request.unassigned', { assignee: {} }, 'event.assignee', 'must be text'],
    ['pull_request.review_requested', { reviewer: undefined }, 'event.reviewer', 'must be text'],
    [
      'pull_request_review.submitted',
      { review: { author: 'ada', verdict: 'maybe' } },
      'event.review.verdict',
      'must be approved, changes_requested, commented, dismissed',
    ],
    [
      'pull_request_review_comment.created',
      { comment: { id: 0, path: 'a.ts' } },
      'event.comment.id',
      'must be a whole number from 1',
    ],
    ['pull_request_review_thread.resolved', { threadId: 1 }, 'event.threadId', 'must be text'],
  ])('name what is wrong with %s %j', (step, change, path, message) => {
    expect(issuesOf(step, change)).toEqual([{ path, message }])
  })

  it('name everything that is wrong with the facts', () => {
    const pullRequest = { number: 1.5, state: 'lost', draft: 'yes', labels: 'bug', assignees: [null] }

    expect(issuesOf('pull_request.opened', { pullRequest })).toEqual([
      { path: 'event.pullRequest.repository', message: 'must be text' },
      { path: 'event.pullRequest.title', message: 'must be text' },
      { path: 'event.pullRequest.author', message: 'must be text' },
      { path: 'event.pullRequest.headSha', message: 'must be text' },
      { path: 'event.pullRequest.number', message: 'must be a whole number from 1' },
      { path: 'event.pullRequest.state', message: 'must be open, closed, merged' },
      { path: 'event.pullRequest.labels', message: 'must be a list' },
      { path: 'event.pullRequest.assignees[0]', message: 'must be text' },
      { path: 'event.pullRequest.reviewers', message: 'must be a list' },
      { path: 'event.pullRequest.draft', message: 'must be true, false or absent' },
    ])
  })

  it('name everything that is wrong with the input', () => {
    const wrong = { repository: 7, number: '1', staleAfterMs: -1 }

    expect(errorOf(() => validate(inputSchema!, wrong, 'input')).fields['issues']).toEqual([
      { path: 'input.repository', message: 'must be text' },
      { path: 'input.number', message: 'must be a whole number from 1' },
      { path: 'input.staleAfterMs', message: 'must be a whole number from 0' },
    ])
  })
})
