import { describe, expect, it } from 'vitest'
import type { Blobs } from '../../actors/ports.ts'
import { awkwardIds } from './samples.ts'

/** What every Blobs must do. `makeBlobs` answers two views of the same blobs, of which there are none. */
export function describeBlobs(name: string, makeBlobs: () => Promise<readonly [Blobs, Blobs]>): void {
  describe(`Blobs: ${name}`, () => {
    const key = { owner: { workflow: 'order', id: 'o.1 ż' }, name: 'bulk-7-0' }
    const bytesOf = (text: string) => new TextEncoder().encode(text)
    const textOf = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes)

    it('gives back to everyone what was put, to the byte', async () => {
      const [blobs, others] = await makeBlobs()
      const content = Uint8Array.from({ length: 70_000 }, (_, index) => index % 251)

      await blobs.put(key, content)

      expect(Buffer.compare((await blobs.get(key))!, content)).toBe(0)
      expect(Buffer.compare((await others.get(key))!, content)).toBe(0)
    })

    it('has nothing where nothing was put', async () => {
      const [blobs] = await makeBlobs()
      await blobs.put(key, bytesOf('first'))

      expect(await blobs.get({ ...key, name: 'bulk-7-1' })).toBeUndefined()
      expect(await blobs.get({ ...key, owner: { workflow: 'order', id: 'o.1' } })).toBeUndefined()
    })

    it('keeps what was put first, however often it is put again, by whomever', async () => {
      const [blobs, others] = await makeBlobs()

      await blobs.put(key, bytesOf('first'))
      await blobs.put(key, bytesOf('first'))
      await others.put(key, bytesOf('second'))

      expect(textOf(await blobs.get(key))).toBe('first')
    })

    it('keeps one of those that are put at the same time', async () => {
      const [blobs, others] = await makeBlobs()

      await Promise.all(
        Array.from({ length: 20 }, (_, n) => (n % 2 === 0 ? blobs : others).put(key, bytesOf(`${n}`))),
      )

      const first = textOf(await blobs.get(key))
      expect(Number(first)).toBeLessThan(20)
      expect(textOf(await others.get(key))).toBe(first)
    })

    it('takes no owner for another', async () => {
      const [blobs] = await makeBlobs()
      const keyOf = (id: string) => ({ owner: { workflow: 'order', id }, name: 'n' })

      await Promise.all(awkwardIds.map((id, n) => blobs.put(keyOf(id), bytesOf(`${n}`))))

      const found = await Promise.all(awkwardIds.map(async id => textOf(await blobs.get(keyOf(id)))))
      expect(found).toEqual(awkwardIds.map((_, n) => `${n}`))
    })

    it('refuses what is larger than a message may be', async () => {
      const [blobs] = await makeBlobs()

      await expect(blobs.put(key, new Uint8Array(1_100_000))).rejects.toMatchObject({
        code: 'PAYLOAD_TOO_LARGE',
      })
      expect(await blobs.get(key)).toBeUndefined()
    })

    it('answers nothing once the signal has aborted', async () => {
      const [blobs] = await makeBlobs()

      await expect(blobs.get(key, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
    })
  })
}
