import { crc32 } from 'node:zlib'
import { RuntimeError } from '../../actors/errors.ts'
import type { Address } from '../../actors/address.ts'

/** The longest instance id, in bytes of UTF-8. */
export const MAX_ID_BYTES = 256

const namePattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/

/** What a name of a workflow or an activity may be, for messages. */
export const nameForm =
  '1 to 64 of A-Z, a-z, 0-9, underscore and hyphen, the first of them a letter or a digit'

/** True when `name` can name a workflow or an activity: see {@link nameForm}. */
export function isName(name: unknown): boolean {
  return typeof name === 'string' && namePattern.test(name)
}

/**
 * Reads `workflow/id`. Only the first slash separates, so an id may contain more.
 *
 * @throws RuntimeError `ID_INVALID` when a part is missing or not allowed
 */
export function parseAddress(text: string): Address {
  const slash = text.indexOf('/')
  const workflow = text.slice(0, Math.max(slash, 0))
  if (!isName(workflow)) {
    throw new RuntimeError(
      'ID_INVALID',
      `an address is written 'workflow/id', where the workflow is ${nameForm}; got '${text}'`,
      { fields: { field: 'address', value: text } },
    )
  }
  return { workflow, id: checkInstanceId(text.slice(slash + 1)) }
}

/** Writes an address as `workflow/id`: the form people type, logs show and {@link partitionOf} hashes. */
export function formatAddress(address: Address): string {
  return `${address.workflow}/${address.id}`
}

/**
 * Answers the id unchanged if it can be one: 1 to 256 bytes of UTF-8, any characters.
 *
 * @param what it is the id of, for the error, and in which field
 * @throws RuntimeError `ID_INVALID` naming the limits
 */
export function checkInstanceId(id: unknown, what = 'an instance id', field = 'id'): string {
  const problem = idProblem(id)
  if (problem !== undefined) {
    throw new RuntimeError('ID_INVALID', `${what} must be 1 to ${MAX_ID_BYTES} bytes of UTF-8; ${problem}`, {
      fields: { field, maxBytes: MAX_ID_BYTES, minBytes: 1 },
    })
  }
  return id as string
}

function idProblem(id: unknown): string | undefined {
  if (typeof id !== 'string') return `got ${id === null ? 'null' : typeof id}`
  if (id === '') return 'got an empty one'
  // With the u flag a surrogate matches only where it has no partner: such text has no UTF-8 form, and two
  // different ids would become the same bytes.
  if (/\p{Surrogate}/u.test(id)) return 'this one contains half a surrogate pair'
  const bytes = Buffer.byteLength(id)
  return bytes > MAX_ID_BYTES ? `this one has ${bytes}` : undefined
}

/**
 * The partition an instance belongs to: the CRC-32 of the UTF-8 bytes of `workflow/id`, modulo the number of
 * partitions. CRC-32 is the one of IEEE 802.3, zlib and PNG (reflected polynomial 0xEDB88320, initial value
 * and final xor 0xFFFFFFFF), read as an unsigned number, so that a client in any language finds the instance:
 *
 * | address | CRC-32 | of 32 | of 7 |
 * | --- | --- | --- | --- |
 * | `order/o-1` | 0xE55AE026 | 6 | 6 |
 * | `order/42` | 0x5473D2B0 | 16 | 0 |
 * | `pull-request/Codertocat/Hello-World#2` | 0x381FEFFD | 29 | 4 |
 * | `order/zażółć` | 0x6EE1E02C | 12 | 2 |
 * | `invoice/🧾` | 0x67E50079 | 25 | 3 |
 *
 * @throws RuntimeError `OPTIONS_INVALID` when `partitions` is not a positive whole number
 */
export function partitionOf(address: Address, partitions: number): number {
  if (!Number.isSafeInteger(partitions) || partitions < 1) {
    throw new RuntimeError('OPTIONS_INVALID', `partitions must be a whole number from 1; got ${partitions}`, {
      fields: { field: 'partitions', value: partitions },
    })
  }
  return crc32(formatAddress(address)) % partitions
}
