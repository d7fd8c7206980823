import { createRequire } from 'node:module'
import { RuntimeError } from '../../src/index.ts'
import { publishedOrder, retargetedStories } from './pull-request-stories.ts'

/** A webhook as GitHub delivers it. */
export interface WebhookDelivery {
  /** The same at every load: `owner/repo#number:` and its place among the deliveries of that pull request. */
  readonly id: string
  /** The header `X-GitHub-Event`. */
  readonly name: string
  readonly payload: unknown
  /** True when the payload was published for another pull request and carries a new number and repository. */
  readonly retargeted: boolean
}

/** As much of a payload as is needed here; the rest is carried along. */
interface Payload {
  readonly action: string
  readonly number?: number
  readonly pull_request: { readonly number: number }
  readonly repository: { readonly full_name: string }
}

interface Example {
  readonly name: string
  readonly payload: Payload
}

/** The deliveries of one pull request, in order. */
interface Track {
  readonly key: string
  readonly examples: readonly Example[]
  readonly retargeted: boolean
}

const publishedExamples = '@octokit/webhooks-examples/api.github.com/index.json'
/** The pull request nearly all published payloads are about. */
const richestKey = 'Codertocat/Hello-World#2'

/**
 * Webhooks about pull requests in the order they could have arrived, the pull requests interleaved.
 *
 * First every payload of the pull request family that GitHub publishes with its API, untouched. They concern
 * two pull requests only, so more are told with the same payloads: in those the number and the repository,
 * also inside URLs, are replaced and nothing else is. GitHub publishes no approval, no request for changes and
 * no merge, so none happens here.
 *
 * The same at every call. Reads a package that is installed for development only.
 *
 * @param source where the published payloads are, as a module specifier
 * @throws RuntimeError `DEPENDENCY_MISSING` when the package is not installed
 */
export function loadFeed(source = publishedExamples): readonly WebhookDelivery[] {
  const examples = readExamples(source)
  const tracks = [...publishedTracks(examples), ...retargetedTracks(examples)]
  return interleave(tracks.map(deliveriesOf))
}

function readExamples(source: string): readonly Example[] {
  let definitions: readonly { readonly name: string; readonly examples: readonly Payload[] }[]
  try {
    definitions = createRequire(import.meta.url)(source)
  } catch (cause) {
    throw new RuntimeError(
      'DEPENDENCY_MISSING',
      `the sample feed reads ${source}, which cannot be loaded; install @octokit/webhooks-examples`,
      { cause, fields: { source } },
    )
  }
  return definitions
    .filter(({ name }) => name === 'pull_request' || name.startsWith('pull_request_'))
    .flatMap(definition => definition.examples.map(payload => ({ name: definition.name, payload })))
}

function publishedTracks(examples: readonly Example[]): Track[] {
  const byKey = groupBy(examples, ({ payload }) => keyOf(payload))
  return [...byKey].map(([key, own]) => ({ key, examples: inPublishedOrder(own), retargeted: false }))
}

/** The collection is sorted by action; a pull request's life goes round several times instead. */
function inPublishedOrder(examples: readonly Example[]): readonly Example[] {
  const rounds = [...groupBy(examples, stepOf)].flatMap(([step, same]) =>
    same.map((example, index) => {
      const rank = publishedOrder.indexOf(step)
      return {
        example,
        // It is opened once; the others are the same webhook as other kinds of subscribers get it.
        round: step === 'pull_request.opened' ? 0 : index,
        rank: rank === -1 ? publishedOrder.length : rank,
      }
    }),
  )
  return rounds.sort((a, b) => a.round - b.round || a.rank - b.rank).map(({ example }) => example)
}

function retargetedTracks(examples: readonly Example[]): Track[] {
  // Of one pull request, so that titles and people do not change in the middle of a life.
  const byStep = groupBy(
    examples.filter(({ payload }) => keyOf(payload) === richestKey),
    stepOf,
  )
  return retargetedStories.map(({ repository, number, steps }, storyIndex) => ({
    key: `${repository}#${number}`,
    retargeted: true,
    examples: steps.map((step, stepIndex) => {
      // Another one of the alike examples each time; together they show all of them.
      const alike = byStep.get(step) ?? []
      const example = alike[(storyIndex + stepIndex) % alike.length]
      if (example === undefined) {
        throw new RuntimeError('DEPENDENCY_MISSING', `the published payloads contain no ${step}`, {
          fields: { step },
        })
      }
      return { name: example.name, payload: retarget(example.payload, repository, number) }
    }),
  }))
}

function retarget(payload: Payload, repository: string, number: number): Payload {
  const old = { repository: payload.repository.full_name, number: payload.pull_request.number }
  const copy = JSON.parse(
    JSON.stringify(payload)
      .replaceAll(old.repository, repository)
      .replaceAll(`"name":"${nameOf(old.repository)}"`, `"name":"${nameOf(repository)}"`)
      .replaceAll(new RegExp(`/(pulls?|issues)/${old.number}(?!\\d)`, 'g'), `/$1/${number}`),
  ) as Payload
  return {
    ...copy,
    ...(copy.number === undefined ? {} : { number }),
    pull_request: { ...copy.pull_request, number },
  }
}

function nameOf(repository: string): string {
  return repository.slice(repository.indexOf('/') + 1)
}

function deliveriesOf({ key, examples, retargeted }: Track): readonly WebhookDelivery[] {
  return examples.map(({ name, payload }, index) => ({ id: `${key}:${index}`, name, payload, retargeted }))
}

/** Every second slot a further pull request begins; of those begun each gets its next delivery in turn. */
function interleave(tracks: readonly (readonly WebhookDelivery[])[]): readonly WebhookDelivery[] {
  return tracks
    .flatMap((track, trackIndex) =>
      track.map((delivery, index) => ({ delivery, slot: 2 * trackIndex + index, trackIndex })),
    )
    .sort((a, b) => a.slot - b.slot || a.trackIndex - b.trackIndex)
    .map(({ delivery }) => delivery)
}

function keyOf({ pull_request, repository }: Payload): string {
  return `${repository.full_name}#${pull_request.number}`
}

function stepOf({ name, payload }: Example): string {
  return `${name}.${payload.action}`
}

function groupBy<TItem>(items: readonly TItem[], keyOf: (item: TItem) => string): Map<string, TItem[]> {
  const groups = new Map<string, TItem[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group) group.push(item)
    else groups.set(key, [item])
  }
  return groups
}
