import { gunzip, inflateRaw } from 'node:zlib'
import { promisify } from 'node:util'

/** One regular file of an archive. */
interface Entry {
  readonly path: string
  readonly content: () => Promise<Buffer>
}

/**
 * The content of the one file called `name`, in whatever folder of the archive it lies. Only that file is looked
 * at: no path of an archive is ever written to the disk. Reads `.zip`, else takes it for a gzipped tar.
 *
 * @throws Error when the archive is damaged or has no such file
 */
export async function readFromArchive(archive: string, bytes: Buffer, name: string): Promise<Buffer> {
  const entries = archive.endsWith('.zip') ? zipEntries(bytes) : tarEntries(await promisify(gunzip)(bytes))
  const entry = entries.find(({ path }) => path.split('/').at(-1) === name)
  if (entry === undefined) throw new Error(`${archive} holds no ${name}`)
  return await entry.content()
}

/** POSIX.1 ustar: a header of 512 bytes, then the content rounded up to 512. Two empty headers end it. */
function tarEntries(tar: Buffer): Entry[] {
  const entries: Entry[] = []
  let offset = 0
  while (offset + 512 <= tar.length && tar[offset] !== 0) {
    const header = tar.subarray(offset, offset + 512)
    const size = Number.parseInt(text(header, 124, 136), 8)
    if (!Number.isSafeInteger(size)) throw new Error('the tar archive is damaged')
    const start = offset + 512
    const kind = header[156]
    // '0' and, from before POSIX, NUL are regular files; the rest (folders, extended headers) is passed over.
    if (kind === 0x30 || kind === 0) {
      const prefix = text(header, 345, 500)
      const name = text(header, 0, 100)
      const path = prefix === '' ? name : `${prefix}/${name}`
      entries.push({ path, content: async () => tar.subarray(start, start + size) })
    }
    offset = start + Math.ceil(size / 512) * 512
  }
  return entries
}

/** APPNOTE.TXT 4.3: the end record points to the central directory, whose entries point to the files. */
function zipEntries(zip: Buffer): Entry[] {
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  if (end < 0) throw new Error('the zip archive is damaged')
  const entries: Entry[] = []
  let offset = zip.readUInt32LE(end + 16)
  for (let left = zip.readUInt16LE(end + 10); left > 0; left -= 1) {
    const method = zip.readUInt16LE(offset + 10)
    const size = zip.readUInt32LE(offset + 20)
    const nameLength = zip.readUInt16LE(offset + 28)
    const local = zip.readUInt32LE(offset + 42)
    const path = zip.toString('utf8', offset + 46, offset + 46 + nameLength)
    entries.push({ path, content: () => unzip(zip, local, size, method) })
    offset += 46 + nameLength + zip.readUInt16LE(offset + 30) + zip.readUInt16LE(offset + 32)
  }
  return entries
}

async function unzip(zip: Buffer, local: number, size: number, method: number): Promise<Buffer> {
  // The name and extra fields of the local header may differ in length from those of the directory.
  const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
  const packed = zip.subarray(start, start + size)
  if (method === 0) return packed
  if (method === 8) return await promisify(inflateRaw)(packed)
  throw new Error(`the zip archive uses compression method ${method}`)
}

function text(bytes: Buffer, start: number, end: number): string {
  const zero = bytes.indexOf(0, start)
  return bytes.toString('utf8', start, zero < 0 ? end : Math.min(zero, end)).trim()
}
