/**
 * Writes the stored forms of the samples in the formats of this build:
 *
 *     node --import tsx test/codec/write-fixtures.ts
 *
 * Run once per format. Fixtures of older formats stay as they are, together with a copy of the sample they
 * were made from: they stand for records that exist.
 */
import { writeFile } from 'node:fs/promises'
import { RECORD_FORMAT } from '../../actors/record.ts'
import { encodeEnvelope } from '../../src/codec/envelope.ts'
import { encodeRecord } from '../../src/codec/record.ts'
import { sampleRecord, sampleSend, sampleStart } from './samples.ts'

const folder = new URL('fixtures/', import.meta.url)

await writeFile(new URL(`record-${RECORD_FORMAT}.bin`, folder), encodeRecord(sampleRecord()))
await writeFile(new URL('envelope-start.bin', folder), encodeEnvelope(sampleStart()))
await writeFile(new URL('envelope-send.bin', folder), encodeEnvelope(sampleSend()))
