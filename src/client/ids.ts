import { randomBytes } from 'node:crypto'

/** Makes ids that no other process makes and that cost next to nothing: a random prefix and a counter. */
export function createIds(): () => string {
  const prefix = randomBytes(9).toString('base64url')
  let count = 0
  return () => `${prefix}.${(count++).toString(36)}`
}
