import type { HeaderReader } from './headers.ts'

/** The header that says where the sender of an envelope waits for the outcome. */
export const REPLY_HEADER = 'Hf-Reply'

const longest = 256

/**
 * Where to answer; undefined when the sender does not wait, or names a subject that is not for answers: a node must
 * not be made to publish where only it may.
 */
export function replySubject(headers: HeaderReader | undefined, ownPrefix: string): string | undefined {
  const subject = headers?.get(REPLY_HEADER) ?? ''
  return isReplySubject(subject, ownPrefix) ? subject : undefined
}

/** True for subjects below an inbox prefix: `_INBOX…`, or the one this connection has itself. */
export function isReplySubject(subject: string, ownPrefix: string): boolean {
  if (subject.length > longest || !/^[!-~]+$/.test(subject)) return false
  const tokens = subject.split('.')
  if (tokens.length < 2 || tokens.some(token => token === '' || token === '*' || token === '>')) return false
  return /^_INBOX[A-Za-z0-9_-]*$/.test(tokens[0]!) || subject.startsWith(`${ownPrefix}.`)
}
