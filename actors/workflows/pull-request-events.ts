import { RuntimeError } from '../../src/index.ts'

/** What a webhook says about the pull request itself, whatever happened to it. */
export interface PullRequestFacts {
  /** `owner/name`. */
  readonly repository: string
  readonly number: number
  readonly title: string
  readonly author: string
  readonly state: 'open' | 'closed' | 'merged'
  /** Undefined where GitHub leaves it out, as it does in older events about reviews. */
  readonly draft: boolean | undefined
  readonly headSha: string
  readonly labels: readonly string[]
  readonly assignees: readonly string[]
  /** Whose review is asked for and still open: logins, and slugs of teams with an `@` in front. */
  readonly reviewers: readonly string[]
}

interface Happening {
  /** When the pull request changed last, as GitHub writes it: ISO 8601. */
  readonly at: string
  /** Login of who did it. */
  readonly by: string
  readonly pullRequest: PullRequestFacts
}

/** GitHub's own names, event and action: `pull_request.opened`, `pull_request_review.submitted`, … */
export type PullRequestEvent = Happening &
  (
    | { readonly type: `pull_request.${(typeof plainActions)[number]}` }
    | { readonly type: `pull_request.${'labeled' | 'unlabeled'}`; readonly label: string }
    | { readonly type: `pull_request.${'assigned' | 'unassigned'}`; readonly assignee: string }
    | {
        readonly type: `pull_request.${'review_requested' | 'review_request_removed'}`
        readonly reviewer: string
      }
    | {
        readonly type: `pull_request_review.${(typeof reviewActions)[number]}`
        readonly review: { readonly author: string; readonly verdict: Verdict }
      }
    | {
        readonly type: `pull_request_review_comment.${(typeof commentActions)[number]}`
        readonly comment: { readonly id: number; readonly path: string }
      }
    | {
        readonly type: `pull_request_review_thread.${(typeof threadActions)[number]}`
        readonly threadId: string
      }
  )

export type Verdict = 'approved' | 'changes_requested' | 'commented' | 'dismissed'

/** What identifies a pull request: the whole of the input its instance is started with. */
export interface PullRequestKey {
  readonly repository: string
  readonly number: number
}

export const plainActions = [
  'auto_merge_disabled',
  'auto_merge_enabled',
  'closed',
  'converted_to_draft',
  'demilestoned',
  'dequeued',
  'edited',
  'enqueued',
  'locked',
  'merged',
  'milestoned',
  'opened',
  'ready_for_review',
  'reopened',
  'synchronize',
  'unlocked',
] as const
export const reviewActions = ['dismissed', 'edited', 'submitted'] as const
export const commentActions = ['created', 'deleted', 'edited'] as const
export const threadActions = ['resolved', 'unresolved'] as const
export const verdicts: readonly string[] = [
  'approved',
  'changes_requested',
  'commented',
  'dismissed',
] satisfies Verdict[]

/**
 * Maps a webhook of GitHub to the instance it concerns, `owner/repo#number`, and the event to send there. The
 * same webhook always gives the same answer; `input` is the same for all webhooks of one pull request, so that
 * each of them may start the instance.
 *
 * @param eventName the header `X-GitHub-Event`
 * @returns undefined when it is not about a pull request, or an action this workflow does not know
 * @throws RuntimeError `EVENT_INVALID` naming the field when the payload is not what GitHub sends
 */
export function toPullRequestEvent(
  eventName: string,
  payload: unknown,
): { readonly id: string; readonly input: PullRequestKey; readonly event: PullRequestEvent } | undefined {
  const action = at(payload, 'action')
  const details = typeof action === 'string' ? detailsOf(eventName, action, payload) : undefined
  if (details === undefined) return undefined

  const pullRequest = factsOf(payload)
  const { repository, number } = pullRequest
  const event = {
    at: text(payload, 'pull_request.updated_at'),
    by: login(payload, 'sender'),
    pullRequest,
    ...details,
  }
  return { id: `${repository}#${number}`, input: { repository, number }, event }
}

/** An event without what all of them have; distributes over the union. */
type Details<TEvent = PullRequestEvent> = TEvent extends unknown ? Omit<TEvent, keyof Happening> : never

function detailsOf(eventName: string, action: string, payload: unknown): Details | undefined {
  switch (eventName) {
    case 'pull_request':
      return pullRequestDetails(action, payload)
    case 'pull_request_review':
      return isOneOf(reviewActions, action)
        ? { type: `pull_request_review.${action}`, review: reviewOf(payload) }
        : undefined
    case 'pull_request_review_comment':
      return isOneOf(commentActions, action)
        ? { type: `pull_request_review_comment.${action}`, comment: commentOf(payload) }
        : undefined
    case 'pull_request_review_thread':
      return isOneOf(threadActions, action)
        ? { type: `pull_request_review_thread.${action}`, threadId: text(payload, 'thread.node_id') }
        : undefined
    default:
      return undefined
  }
}

function pullRequestDetails(action: string, payload: unknown): Details | undefined {
  switch (action) {
    case 'labeled':
    case 'unlabeled':
      return { type: `pull_request.${action}`, label: text(payload, 'label.name') }
    case 'assigned':
    case 'unassigned':
      return { type: `pull_request.${action}`, assignee: login(payload, 'assignee') }
    case 'review_requested':
    case 'review_request_removed':
      return { type: `pull_request.${action}`, reviewer: requestedReviewer(payload) }
    default:
      return isOneOf(plainActions, action) ? { type: `pull_request.${action}` } : undefined
  }
}

function factsOf(payload: unknown): PullRequestFacts {
  const draft = at(payload, 'pull_request.draft')
  return {
    repository: text(payload, 'repository.full_name'),
    number: whole(payload, 'pull_request.number'),
    title: text(payload, 'pull_request.title'),
    author: login(payload, 'pull_request.user'),
    state: stateOf(payload),
    draft: typeof draft === 'boolean' ? draft : undefined,
    headSha: text(payload, 'pull_request.head.sha'),
    labels: list(payload, 'pull_request.labels').map(label => text(label, 'name')),
    assignees: list(payload, 'pull_request.assignees').map(user => login(user)),
    reviewers: [
      ...list(payload, 'pull_request.requested_reviewers').map(user => login(user)),
      ...list(payload, 'pull_request.requested_teams').map(team => `@${text(team, 'slug')}`),
    ],
  }
}

function stateOf(payload: unknown): PullRequestFacts['state'] {
  if (text(payload, 'pull_request.state') === 'open') return 'open'
  // Events about reviews have no `merged`, but all have `merged_at`.
  const isMerged = at(payload, 'pull_request.merged') ?? at(payload, 'pull_request.merged_at') !== null
  return isMerged === true ? 'merged' : 'closed'
}

function reviewOf(payload: unknown): { author: string; verdict: Verdict } {
  const state = text(payload, 'review.state').toLowerCase()
  return {
    author: login(payload, 'review.user'),
    // A review that is still being written decides nothing, as one that only comments.
    verdict: verdicts.includes(state) ? (state as Verdict) : 'commented',
  }
}

function commentOf(payload: unknown): { id: number; path: string } {
  return { id: whole(payload, 'comment.id'), path: text(payload, 'comment.path') }
}

function requestedReviewer(payload: unknown): string {
  return at(payload, 'requested_team') === undefined
    ? login(payload, 'requested_reviewer')
    : `@${text(payload, 'requested_team.slug')}`
}

/** The login of a user; accounts that were deleted are `null` in GitHub's data and shown as `ghost`. */
function login(value: unknown, path?: string): string {
  const user = path === undefined ? value : at(value, path)
  return user === null ? 'ghost' : text(user, 'login', path)
}

function text(value: unknown, path: string, prefix?: string): string {
  const found = at(value, path)
  return typeof found === 'string' ? found : refuse([prefix, path], 'text', found)
}

function whole(value: unknown, path: string): number {
  const found = at(value, path)
  return Number.isSafeInteger(found) ? (found as number) : refuse([path], 'a whole number', found)
}

function list(value: unknown, path: string): readonly unknown[] {
  const found = at(value, path)
  return Array.isArray(found) ? found : refuse([path], 'a list', found)
}

function refuse(path: readonly (string | undefined)[], form: string, found: unknown): never {
  const field = path.filter(part => part !== undefined).join('.')
  throw new RuntimeError('EVENT_INVALID', `webhook payload: ${field} must be ${form}; got ${typeof found}`, {
    fields: { field },
  })
}

function at(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((inner, key) => (inner as Record<string, unknown> | null | undefined)?.[key], value)
}

function isOneOf<TItem extends string>(items: readonly TItem[], value: string): value is TItem {
  return (items as readonly string[]).includes(value)
}
