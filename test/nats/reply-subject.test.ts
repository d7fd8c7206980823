import { describe, expect, it } from 'vitest'
import { isReplySubject } from '../../src/nats/reply-subject.ts'

describe('reply subjects', () => {
  it.each(['_INBOX.abc', '_INBOX.abc.def', '_INBOX_alice.abc', 'answers.alice.abc'])(
    'answers to %s',
    subject => {
      expect(isReplySubject(subject, 'answers.alice')).toBe(true)
    },
  )

  it.each([
    '',
    '_INBOX',
    '_INBOX.',
    '_INBOX..a',
    '_INBOX.*',
    '_INBOX.>',
    '_INBOX.a b',
    '_INBOX.a\r\nPUB x 0',
    `_INBOX.${'a'.repeat(256)}`,
    'hf.default.in.1.order.o-1',
    '$KV.hf_default_instances.1.order.o-1',
    '$JS.API.STREAM.DELETE.x',
    'answers.alice',
    'answers.bob.abc',
  ])('does not publish to %j only because a sender says so', subject => {
    expect(isReplySubject(subject, 'answers.alice')).toBe(false)
  })
})
