import { describe, expect, it } from 'vitest'
import { createActor, SimulatedClock } from 'xstate'
import { toPullRequestEvent } from '../../actors/workflows/pull-request-events.ts'
import { loadFeed } from '../../actors/workflows/pull-request-feed.ts'
import { pullRequest } from '../../actors/workflows/pull-request.ts'
import { errorOf } from '../workflow/error-of.ts'
import { definitionsOf, family } from './webhooks.ts'

const feed = loadFeed()

/** Plays the feed into live actors, one for each pull request. */
function play() {
  const actors = new Map<string, ReturnType<typeof startOne>>()
  const startOne = (input: { repository: string; number: number }) =>
    createActor(pullRequest.machine, { clock: new SimulatedClock(), input }).start()
  for (const { name, payload } of feed) {
    const mapped = toPullRequestEvent(name, payload)
    if (mapped === undefined) throw new Error(`${name} is not mapped`)
    const actor = actors.get(mapped.id) ?? startOne(mapped.input)
    actors.set(mapped.id, actor)
    actor.send(mapped.event)
  }
  return new Map([...actors].map(([id, actor]) => [id, actor.getSnapshot()]))
}

/** Where two JSON values differ, as paths. */
function differences(a: unknown, b: unknown, path = ''): string[] {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b ? [] : [path]
  const keys = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...keys].flatMap(key =>
    differences((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], `${path}.${key}`),
  )
}

describe('the feed', () => {
  it('is the same at every load, with ids of its own for every delivery', () => {
    expect(loadFeed()).toEqual(feed)
    expect(new Set(feed.map(({ id }) => id)).size).toBe(feed.length)
    expect(Math.max(...feed.map(({ id }) => id.length))).toBeLessThanOrEqual(128)
  })

  it('contains every published payload of the family once, untouched', () => {
    const published = definitionsOf('api.github.com')
      .filter(({ name }) => (family as readonly string[]).includes(name))
      .flatMap(({ examples }) => examples)
    const untouched = feed.filter(({ retargeted }) => !retargeted).map(({ payload }) => payload)

    expect(untouched).toHaveLength(published.length)
    expect(new Set(untouched)).toEqual(new Set(published))
    for (const payload of published) expect(untouched).toContain(payload)
  })

  it('changes nothing but number and repository in the payloads it re-targets', () => {
    const changeable = /\.(number|full_name|repo\.name|repository\.name|href|\w*url)$/
    const retargeted = feed.filter(delivery => delivery.retargeted)

    expect(retargeted.length).toBeGreaterThan(100)
    for (const { name, payload } of retargeted) {
      const { action } = payload as { action: string }
      const alike = definitionsOf('api.github.com')
        .find(definition => definition.name === name)!
        .examples.filter(example => example.action === action)
      const foreign = alike.map(example =>
        differences(example, payload).filter(path => !changeable.test(path)),
      )
      expect(foreign).toContainEqual([])
      expect(JSON.stringify(payload)).not.toMatch(/\/(pulls?|issues)\/2\D/)
    }
  })

  it('interleaves about fifteen pull requests, each beginning with its opening', () => {
    const ids = feed.map(({ id }) => id.slice(0, id.lastIndexOf(':')))
    const switches = ids.filter((id, index) => id !== ids[index - 1]).length
    const openings = feed.filter(({ id, retargeted }) => retargeted && id.endsWith(':0'))

    expect(new Set(ids).size).toBe(15)
    expect(feed.length).toBe(220)
    expect(switches).toBeGreaterThan(150)
    expect(new Set(openings.map(({ payload }) => (payload as { action: string }).action))).toEqual(
      new Set(['opened']),
    )
  })

  it('tells the published payloads as a life: opened first, and reopened each time it was closed', () => {
    const actions = feed
      .filter(({ id }) => id.startsWith('Codertocat/Hello-World#2:'))
      .map(({ payload }) => (payload as { action: string }).action)

    expect(actions.slice(0, 5)).toEqual(['opened', 'opened', 'opened', 'opened', 'assigned'])
    expect(actions.filter(action => action === 'closed' || action === 'reopened')).toEqual([
      'closed',
      'reopened',
      'closed',
      'reopened',
    ])
    expect(actions.at(-1)).toBe('ready_for_review')
  })

  it('names its instances after the pull requests it was re-targeted to', () => {
    for (const { id, name, payload } of feed) {
      expect(id.startsWith(`${toPullRequestEvent(name, payload)?.id}:`)).toBe(true)
    }
  })

  it('brings every pull request to the end of its story', () => {
    const ready = { open: { ready: { review: 'waiting', freshness: 'fresh' } } }
    const draft = { open: 'draft' }

    const snapshots = play()

    const ends = [...snapshots].map(([id, { value }]) => [
      id,
      typeof value === 'string' ? value : value.tracked.lifecycle,
    ])
    expect(Object.fromEntries(ends)).toEqual({
      'Codertocat/Hello-World#2': ready,
      'octo-org/octo-repo#118': ready,
      'Codertocat/Hello-World#3': 'closed',
      'Codertocat/Hello-World#4': draft,
      'Codertocat/Hello-World#5': ready,
      'Codertocat/Hello-World#6': 'closed',
      'Codertocat/Hello-World#7': ready,
      'Codertocat/Hello-World#8': ready,
      'Codertocat/Hello-World#9': 'closed',
      'Codertocat/Spoon-Knife#11': ready,
      'Codertocat/Spoon-Knife#12': 'closed',
      'Codertocat/Spoon-Knife#13': draft,
      'Codertocat/Spoon-Knife#14': ready,
      'Codertocat/Spoon-Knife#15': 'closed',
      'Codertocat/Spoon-Knife#16': ready,
    })
  })

  it('is taken in completely: no delivery is lost and none fails', () => {
    const snapshots = [...play().values()]

    expect(snapshots.map(({ status }) => status)).toEqual(snapshots.map(() => 'active'))
    expect(snapshots.reduce((sum, { context }) => sum + context.counts.webhooks, 0)).toBe(feed.length)
  })

  it('says what to install when the published payloads are missing', () => {
    const error = errorOf(() => loadFeed('@octokit/webhooks-examples/missing/index.json'))

    expect(error.code).toBe('DEPENDENCY_MISSING')
    expect(error.message).toContain('install @octokit/webhooks-examples')
    expect(error.cause).toMatchObject({ code: 'MODULE_NOT_FOUND' })
  })
})
