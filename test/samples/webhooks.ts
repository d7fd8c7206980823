import { createRequire } from 'node:module'
import type { EventPayloadMap } from '@octokit/webhooks-types'

export interface Definition {
  readonly name: string
  readonly actions: readonly string[]
  readonly examples: readonly Webhook[]
}

/** As much of a published payload as tests change. */
export interface Webhook {
  readonly action: string
  readonly pull_request: { readonly merged_at: string | null; readonly [key: string]: unknown }
  readonly review?: { readonly [key: string]: unknown }
  readonly [key: string]: unknown
}

/** Everything one kind of GitHub publishes: `api.github.com` or a version of the enterprise server. */
export function definitionsOf(kind: string): readonly Definition[] {
  return createRequire(import.meta.url)(`@octokit/webhooks-examples/${kind}/index.json`)
}

/** The events of the pull request family. */
export const family = [
  'pull_request',
  'pull_request_review',
  'pull_request_review_comment',
  'pull_request_review_thread',
] as const satisfies (keyof EventPayloadMap)[]

/** The first published payload of `event.action`. */
export function webhook(step: string): { readonly name: string; readonly payload: Webhook } {
  const [name = '', action = ''] = step.split('.')
  const definition = definitionsOf('api.github.com').find(({ name: other }) => other === name)
  const payload = definition?.examples.find(example => example.action === action)
  if (payload === undefined) throw new Error(`no ${step} is published`)
  return { name, payload }
}
