import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { RECORD_FORMAT } from '../../actors/record.ts'
import { decodeEnvelope, encodeEnvelope } from '../../src/codec/envelope.ts'
import { decodeRecord, encodeRecord } from '../../src/codec/record.ts'
import { sampleRecord, sampleSend, sampleStart } from './samples.ts'

const stored = (name: string) => readFile(new URL(`fixtures/${name}`, import.meta.url))

describe('what was stored', () => {
  it('is a record of format 1 that this build reads', async () => {
    expect(decodeRecord(await stored('record-1.bin'))).toStrictEqual(sampleRecord())
  })

  it('includes a record of every format up to the newest', async () => {
    for (let format = 1; format <= RECORD_FORMAT; format++) {
      const bytes = await stored(`record-${format}.bin`)

      expect(bytes[1]).toBe(format)
      expect(decodeRecord(bytes).id).toBe(sampleRecord().id)
    }
  })

  it('is a start that this build reads', async () => {
    expect(decodeEnvelope(await stored('envelope-start.bin'))).toStrictEqual(sampleStart())
  })

  it('is an event that this build reads', async () => {
    expect(decodeEnvelope(await stored('envelope-send.bin'))).toStrictEqual(sampleSend())
  })

  it('is what this build stores', async () => {
    expect(Buffer.from(encodeRecord(sampleRecord()))).toEqual(await stored(`record-${RECORD_FORMAT}.bin`))
    expect(Buffer.from(encodeEnvelope(sampleStart()))).toEqual(await stored('envelope-start.bin'))
    expect(Buffer.from(encodeEnvelope(sampleSend()))).toEqual(await stored('envelope-send.bin'))
  })
})
