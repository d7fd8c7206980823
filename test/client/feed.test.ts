import { expect, it } from 'vitest'

import { Feed } from '../../src/client/feed.ts'

it('answers all who ask before there is anything, in turn', async () => {
  const feed = new Feed<number>(10, () => {})
  const answers = [feed.next(), feed.next(), feed.next(), feed.next()]

  feed.push(1)
  feed.push(2)
  feed.end()

  expect(await Promise.all(answers)).toEqual([
    { done: false, value: 1 },
    { done: false, value: 2 },
    { done: true, value: undefined },
    { done: true, value: undefined },
  ])
})
