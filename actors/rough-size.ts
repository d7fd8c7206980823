/** Beyond this nobody wants to know. */
const mostBytes = 64 * 1024

/**
 * About how many bytes a value takes when it is stored; some number from 64 KiB on for whatever takes more. Values may
 * refer to themselves.
 */
export function roughSize(value: unknown): number {
  let bytes = 0
  const left = [value]
  while (left.length > 0 && bytes < mostBytes) {
    const part = left.pop()
    if (typeof part === 'string') bytes += part.length + 2
    else if (typeof part === 'object' && part !== null) bytes += 1 + spread(part, left)
    else bytes += 4
  }
  return bytes
}

/** Adds the parts of an object to the list, and answers the bytes of what is none of them. */
function spread(object: object, parts: unknown[]): number {
  if (ArrayBuffer.isView(object) || object instanceof ArrayBuffer) return object.byteLength
  if (object instanceof Error) parts.push(object.name, object.message, object.stack, object.cause)
  if (object instanceof Map) for (const pair of object) parts.push(pair[0], pair[1])
  else if (Array.isArray(object) || object instanceof Set) for (const item of object) parts.push(item)
  else for (const pair of Object.entries(object)) parts.push(pair[0], pair[1])
  return 0
}
