import { RuntimeError } from '../../actors/errors.ts'
import type { ScannedRecord, StoredRecord } from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import { decodeRecord } from '../codec/record.ts'
import { formatAddress } from '../workflow/address.ts'
import { isRemoved, type Entry } from './entry.ts'
import type { HeaderReader } from './headers.ts'
import { causeOf, summaryOf } from './record-headers.ts'
import { parseKey } from './subjects.ts'

/**
 * The record in an entry; undefined when the entry says that there is none.
 *
 * @throws RuntimeError `RECORD_FORMAT_UNSUPPORTED`; `RECORD_MALFORMED`, also when it is the record of another instance
 */
export function storedRecord(
  entry: Pick<Entry, 'data' | 'headers' | 'seq'> | undefined,
  address: Address,
): StoredRecord | undefined {
  if (entry === undefined || isRemoved(entry.data.length)) return undefined
  const record = decodeRecord(entry.data)
  if (record.workflow !== address.workflow || record.id !== address.id) {
    throw new RuntimeError(
      'RECORD_MALFORMED',
      `the record stored for ${formatAddress(address)} is that of ${formatAddress(record)}`,
      { fields: { address, revision: entry.seq } },
    )
  }
  return { record, revision: entry.seq, ...causeOf(entry.headers) }
}

/**
 * The summary in the headers of an entry; undefined when there is no record, or one whose headers are not ours.
 *
 * @param subject any subject that ends in the key
 */
export function scannedRecord(
  entry: { readonly headers: HeaderReader | undefined; readonly seq: number; readonly time: number },
  subject: string,
  sizeBytes: number,
): ScannedRecord | undefined {
  const key = parseKey(subject)
  if (key === undefined || entry.headers === undefined || isRemoved(sizeBytes)) return undefined
  const summary = summaryOf(entry.headers)
  // Written out, as copying is slow, and there may be a million.
  const { address, partition } = key
  return summary && { address, partition, revision: entry.seq, time: entry.time, summary }
}
