/** An extension as a library knows it that was taught nothing. */
export interface ReadExtension {
  readonly type: number
  readonly content: Uint8Array
}

/** A msgpack map as its pairs, so that nothing about names is assumed. */
export interface ReadMap {
  readonly pairs: readonly (readonly [unknown, unknown])[]
}

/** Reads one value by the msgpack specification and nothing but it; refuses bytes that it does not provide for. */
export function readMsgpack(bytes: Uint8Array): unknown {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  let at = 0

  const skip = (size: number): number => (at += size) - size
  const uint = (size: number): number =>
    size === 1 ? view.getUint8(skip(1)) : size === 2 ? view.getUint16(skip(2)) : view.getUint32(skip(4))
  const raw = (size: number): Uint8Array => {
    if (at + size > bytes.length) throw new RangeError('cut')
    return bytes.slice(skip(size), at)
  }
  const string = (size: number): string => decoder.decode(raw(size))
  const array = (size: number): unknown[] => Array.from({ length: size }, read)
  const map = (size: number): ReadMap => ({
    pairs: Array.from({ length: size }, () => [read(), read()] as const),
  })
  const extension = (size: number): ReadExtension => ({ type: view.getInt8(skip(1)), content: raw(size) })

  function read(): unknown {
    const token = uint(1)
    if (token < 0x80) return token
    if (token < 0x90) return map(token & 0x0f)
    if (token < 0xa0) return array(token & 0x0f)
    if (token < 0xc0) return string(token & 0x1f)
    if (token >= 0xe0) return token - 0x100
    switch (token) {
      case 0xc0:
        return null
      case 0xc2:
      case 0xc3:
        return token === 0xc3
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return raw(uint(1 << (token - 0xc4)))
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return extension(uint(1 << (token - 0xc7)))
      case 0xca:
        return view.getFloat32(skip(4))
      case 0xcb:
        return view.getFloat64(skip(8))
      case 0xcc:
      case 0xcd:
      case 0xce:
        return uint(1 << (token - 0xcc))
      case 0xcf:
        return view.getBigUint64(skip(8))
      case 0xd0:
        return view.getInt8(skip(1))
      case 0xd1:
        return view.getInt16(skip(2))
      case 0xd2:
        return view.getInt32(skip(4))
      case 0xd3:
        return view.getBigInt64(skip(8))
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return extension(1 << (token - 0xd4))
      case 0xd9:
      case 0xda:
      case 0xdb:
        return string(uint(1 << (token - 0xd9)))
      case 0xdc:
      case 0xdd:
        return array(uint(token === 0xdc ? 2 : 4))
      case 0xde:
      case 0xdf:
        return map(uint(token === 0xde ? 2 : 4))
      default:
        throw new RangeError(`no msgpack begins with ${token}`)
    }
  }

  const value = read()
  if (at !== bytes.length) throw new RangeError(`${bytes.length - at} bytes are left`)
  return value
}
