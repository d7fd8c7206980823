import type { EventSchemas, SchemaIssue, StandardSchema } from '../../src/index.ts'
import { at, choiceIssues, schemaOf, textIssues, textListIssues, wholeNumberIssues } from './issues.ts'
import {
  commentActions,
  plainActions,
  reviewActions,
  threadActions,
  verdicts,
  type PullRequestEvent,
  type PullRequestKey,
} from './pull-request-events.ts'

/** What a pull request is started with. */
export interface PullRequestInput extends PullRequestKey {
  /** How long a review may rest before it counts as stale. Default seven days. */
  readonly staleAfterMs?: number
}

type Issues = Generator<SchemaIssue>

export const pullRequestInput = schemaOf<PullRequestInput>(function* (input): Issues {
  yield* textIssues(input, ['repository'])
  yield* wholeNumberIssues(input, ['number'], 1)
  if (at(input, ['staleAfterMs']) !== undefined) yield* wholeNumberIssues(input, ['staleAfterMs'], 0)
})

/** What `toPullRequestEvent` makes, whoever sends it. */
export const pullRequestEvents: Required<EventSchemas<PullRequestEvent>> = {
  ...each('pull_request', plainActions, event()),
  ...each('pull_request', ['labeled', 'unlabeled'], event(['label'])),
  ...each('pull_request', ['assigned', 'unassigned'], event(['assignee'])),
  ...each('pull_request', ['review_requested', 'review_request_removed'], event(['reviewer'])),
  ...each('pull_request_review', reviewActions, event([], reviewIssues)),
  ...each('pull_request_review_comment', commentActions, event([], commentIssues)),
  ...each('pull_request_review_thread', threadActions, event(['threadId'])),
}

function each<TName extends string, TAction extends string>(
  name: TName,
  actions: readonly TAction[],
  schema: StandardSchema<never>,
): Record<`${TName}.${TAction}`, StandardSchema<never>> {
  return Object.fromEntries(actions.map(action => [`${name}.${action}`, schema])) as never
}

/** An event that has, besides what all have, these texts and what another check asks for. */
function event(
  texts: readonly string[] = [],
  moreIssues: (value: unknown) => Iterable<SchemaIssue> = () => [],
) {
  return schemaOf<never>(function* (value): Issues {
    for (const key of ['at', 'by', ...texts]) yield* textIssues(value, [key])
    yield* factIssues(value)
    yield* moreIssues(value)
  })
}

function* factIssues(value: unknown): Issues {
  const facts = 'pullRequest'
  for (const key of ['repository', 'title', 'author', 'headSha']) yield* textIssues(value, [facts, key])
  yield* wholeNumberIssues(value, [facts, 'number'], 1)
  yield* choiceIssues(value, [facts, 'state'], ['open', 'closed', 'merged'])
  for (const key of ['labels', 'assignees', 'reviewers']) yield* textListIssues(value, [facts, key])
  const draft = at(value, [facts, 'draft'])
  if (draft !== undefined && typeof draft !== 'boolean') {
    yield { path: [facts, 'draft'], message: 'must be true, false or absent' }
  }
}

function* reviewIssues(value: unknown): Issues {
  yield* textIssues(value, ['review', 'author'])
  yield* choiceIssues(value, ['review', 'verdict'], verdicts)
}

function* commentIssues(value: unknown): Issues {
  yield* wholeNumberIssues(value, ['comment', 'id'], 1)
  yield* textIssues(value, ['comment', 'path'])
}
