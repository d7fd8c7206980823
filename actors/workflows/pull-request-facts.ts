import type { PullRequestEvent, PullRequestFacts, PullRequestKey, Verdict } from './pull-request-events.ts'

/** `outdated`: approved, but there were new commits since. */
export type ReviewStanding = Verdict | 'outdated'

export interface Fact {
  readonly at: string
  readonly by: string
  /** Short, for people: `labeled bug`, `review approved`. */
  readonly what: string
}

/** What we know of a pull request, from the webhooks seen so far. */
export interface PullRequestContext extends PullRequestKey {
  readonly staleAfterMs: number
  /** As of the last webhook; undefined before the first. */
  readonly state: PullRequestFacts['state'] | undefined
  readonly draft: boolean
  readonly title: string
  readonly author: string
  readonly headSha: string
  readonly labels: readonly string[]
  readonly assignees: readonly string[]
  readonly reviewers: readonly string[]
  /** By login of the reviewer: the last review that decided something, or the last comment. */
  readonly reviews: Readonly<Record<string, ReviewStanding>>
  readonly counts: {
    readonly webhooks: number
    readonly pushes: number
    readonly reviews: number
    /** Comments on lines that still stand. */
    readonly comments: number
    readonly resolvedThreads: number
    /** How often nothing happened for too long. */
    readonly reminders: number
  }
  /** The newest last, at most {@link timelineLength}. */
  readonly timeline: readonly Fact[]
}

/** How many facts an instance remembers. */
export const timelineLength = 20

/** A pull request of which we know only that it exists. */
export function unseenPullRequest(key: PullRequestKey, staleAfterMs: number): PullRequestContext {
  return {
    repository: key.repository,
    number: key.number,
    staleAfterMs,
    state: undefined,
    draft: false,
    title: '',
    author: '',
    headSha: '',
    labels: [],
    assignees: [],
    reviewers: [],
    reviews: {},
    counts: { webhooks: 0, pushes: 0, reviews: 0, comments: 0, resolvedThreads: 0, reminders: 0 },
    timeline: [],
  }
}

/** What is known after one more webhook. */
export function withEvent(context: PullRequestContext, event: PullRequestEvent): PullRequestContext {
  const { pullRequest, at, by } = event
  const noted: PullRequestContext = {
    ...context,
    state: pullRequest.state,
    draft: pullRequest.draft ?? context.draft,
    title: pullRequest.title,
    author: pullRequest.author,
    headSha: pullRequest.headSha,
    labels: pullRequest.labels,
    assignees: pullRequest.assignees,
    reviewers: pullRequest.reviewers,
    counts: { ...context.counts, webhooks: context.counts.webhooks + 1 },
    timeline: [...context.timeline, { at, by, what: describe(event) }].slice(-timelineLength),
  }
  return withChange(noted, event)
}

/** `approved` or `changesRequested` as the reviews stand; one request for changes outweighs any approval. */
export function verdictOf({ reviews }: PullRequestContext): 'approved' | 'changesRequested' | 'waiting' {
  const standings = Object.values(reviews)
  if (standings.includes('changes_requested')) return 'changesRequested'
  return standings.includes('approved') ? 'approved' : 'waiting'
}

/** The lists in a webhook are those after the change, yet we make sure: some of GitHub's are one step behind. */
function withChange(context: PullRequestContext, event: PullRequestEvent): PullRequestContext {
  const { assignees, counts, labels, reviewers, reviews } = context
  switch (event.type) {
    case 'pull_request.labeled':
      return { ...context, labels: including(labels, event.label) }
    case 'pull_request.unlabeled':
      return { ...context, labels: excluding(labels, event.label) }
    case 'pull_request.assigned':
      return { ...context, assignees: including(assignees, event.assignee) }
    case 'pull_request.unassigned':
      return { ...context, assignees: excluding(assignees, event.assignee) }
    case 'pull_request.review_requested':
      return { ...context, reviewers: including(reviewers, event.reviewer) }
    case 'pull_request.review_request_removed':
      return { ...context, reviewers: excluding(reviewers, event.reviewer) }
    case 'pull_request.synchronize':
      return { ...context, reviews: outdated(reviews), counts: { ...counts, pushes: counts.pushes + 1 } }
    case 'pull_request_review.submitted':
      return {
        ...context,
        reviews: withReview(reviews, event.review),
        counts: { ...counts, reviews: counts.reviews + 1 },
      }
    case 'pull_request_review.dismissed':
      return { ...context, reviews: { ...reviews, [event.review.author]: 'dismissed' } }
    case 'pull_request_review_comment.created':
      return { ...context, counts: { ...counts, comments: counts.comments + 1 } }
    case 'pull_request_review_comment.deleted':
      return { ...context, counts: { ...counts, comments: Math.max(0, counts.comments - 1) } }
    case 'pull_request_review_thread.resolved':
      return { ...context, counts: { ...counts, resolvedThreads: counts.resolvedThreads + 1 } }
    case 'pull_request_review_thread.unresolved':
      return { ...context, counts: { ...counts, resolvedThreads: Math.max(0, counts.resolvedThreads - 1) } }
    case 'pull_request.auto_merge_disabled':
    case 'pull_request.auto_merge_enabled':
    case 'pull_request.closed':
    case 'pull_request.converted_to_draft':
    case 'pull_request.demilestoned':
    case 'pull_request.dequeued':
    case 'pull_request.edited':
    case 'pull_request.enqueued':
    case 'pull_request.locked':
    case 'pull_request.merged':
    case 'pull_request.milestoned':
    case 'pull_request.opened':
    case 'pull_request.ready_for_review':
    case 'pull_request.reopened':
    case 'pull_request.unlocked':
    case 'pull_request_review.edited':
    case 'pull_request_review_comment.edited':
      return context
  }
}

/** Commenting does not take back an approval or a request for changes. */
function withReview(
  reviews: PullRequestContext['reviews'],
  { author, verdict }: { readonly author: string; readonly verdict: Verdict },
): PullRequestContext['reviews'] {
  const standing = reviews[author]
  const decided = standing === 'approved' || standing === 'changes_requested'
  return decided && verdict === 'commented' ? reviews : { ...reviews, [author]: verdict }
}

/** New commits void approvals; a request for changes stands until its author takes it back. */
function outdated(reviews: PullRequestContext['reviews']): PullRequestContext['reviews'] {
  return Object.fromEntries(
    Object.entries(reviews).map(([author, standing]) => [
      author,
      standing === 'approved' ? 'outdated' : standing,
    ]),
  )
}

function describe(event: PullRequestEvent): string {
  const action = event.type.slice(event.type.indexOf('.') + 1).replaceAll('_', ' ')
  if ('label' in event) return `${action} ${event.label}`
  if ('assignee' in event) return `${action} ${event.assignee}`
  if ('reviewer' in event) return `${action} ${event.reviewer}`
  if ('review' in event) return `review ${event.type.endsWith('.submitted') ? event.review.verdict : action}`
  if ('comment' in event) return `comment ${action} on ${event.comment.path}`
  if ('threadId' in event) return `thread ${action}`
  return action
}

function including(items: readonly string[], item: string): readonly string[] {
  return items.includes(item) ? items : [...items, item]
}

function excluding(items: readonly string[], item: string): readonly string[] {
  return items.filter(other => other !== item)
}
