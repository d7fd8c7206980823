/** What can happen to a pull request in the sample feed, as `event.action`, in the order of a plausible life. */
export const publishedOrder: readonly string[] = [
  'pull_request.opened',
  'pull_request.assigned',
  'pull_request.labeled',
  'pull_request.review_requested',
  'pull_request_review_comment.created',
  'pull_request_review.submitted',
  'pull_request.converted_to_draft',
  'pull_request.synchronize',
  'pull_request.ready_for_review',
  'pull_request_review_comment.edited',
  'pull_request_review_comment.deleted',
  'pull_request_review_thread.unresolved',
  'pull_request_review_thread.resolved',
  'pull_request_review.dismissed',
  'pull_request.locked',
  'pull_request.unlocked',
  'pull_request.review_request_removed',
  'pull_request.unlabeled',
  'pull_request.unassigned',
  'pull_request.closed',
  'pull_request.reopened',
]

/** A pull request told with payloads published for another one. */
export interface Story {
  /** `owner/name`, of the owner the payloads were published for. */
  readonly repository: string
  readonly number: number
  /** `event.action` of each delivery. */
  readonly steps: readonly string[]
}

const opening = ['pull_request.opened', 'pull_request.assigned', 'pull_request.labeled'] as const
const drafting = [
  'pull_request.converted_to_draft',
  'pull_request.synchronize',
  'pull_request.ready_for_review',
] as const
const reviewing = [
  'pull_request.review_requested',
  'pull_request_review_comment.created',
  'pull_request_review_comment.created',
  'pull_request_review.submitted',
] as const
const reworking = [
  'pull_request.synchronize',
  'pull_request_review_comment.edited',
  'pull_request_review_thread.resolved',
  'pull_request_review.dismissed',
  'pull_request_review.submitted',
] as const
const locking = ['pull_request.locked', 'pull_request.unlocked'] as const
const closing = ['pull_request.unlabeled', 'pull_request.unassigned', 'pull_request.closed'] as const

const closed = [...opening, ...reviewing, ...reworking, ...closing]
const reopened = [...opening, ...reviewing, 'pull_request.closed', 'pull_request.reopened', ...reworking]
const drafted = [...opening, ...drafting, ...reviewing, 'pull_request.converted_to_draft']
const reviewed = [...opening, ...drafting, ...reviewing, ...reworking, ...locking]
const abandoned = [
  ...opening,
  'pull_request.review_requested',
  'pull_request.review_request_removed',
  ...closing,
]

export const retargetedStories: readonly Story[] = [
  { repository: 'Codertocat/Hello-World', number: 3, steps: closed },
  { repository: 'Codertocat/Hello-World', number: 4, steps: drafted },
  { repository: 'Codertocat/Hello-World', number: 5, steps: reviewed },
  { repository: 'Codertocat/Hello-World', number: 6, steps: abandoned },
  { repository: 'Codertocat/Hello-World', number: 7, steps: reopened },
  { repository: 'Codertocat/Hello-World', number: 8, steps: reviewed },
  { repository: 'Codertocat/Hello-World', number: 9, steps: closed },
  { repository: 'Codertocat/Spoon-Knife', number: 11, steps: reviewed },
  { repository: 'Codertocat/Spoon-Knife', number: 12, steps: abandoned },
  { repository: 'Codertocat/Spoon-Knife', number: 13, steps: drafted },
  { repository: 'Codertocat/Spoon-Knife', number: 14, steps: reopened },
  { repository: 'Codertocat/Spoon-Knife', number: 15, steps: closed },
  { repository: 'Codertocat/Spoon-Knife', number: 16, steps: reviewed },
]
