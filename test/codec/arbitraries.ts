import fc from 'fast-check'

/** Text of any UTF-16 code units: lone surrogates, byte order marks, NUL, and lengths around every limit. */
const text = fc.oneof(
  fc.string(),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 80 })
    .map(units => String.fromCharCode(...units)),
  fc.constantFrom('', '\ufeff', `\ufeff${'é'.repeat(40)}`, '\ud800', 'a\udc00b', '😀', '\0'),
  fc
    .tuple(fc.constantFrom('x', 'é', '語', '😀'), fc.integer({ min: 0, max: 300 }))
    .map(([unit, n]) => unit.repeat(n)),
)

/** Names of fields, those included that JavaScript gives a meaning. */
const name = fc.oneof(
  { arbitrary: text, weight: 8 },
  {
    arbitrary: fc.constantFrom('__proto__', 'constructor', 'hasOwnProperty', 'toJSON', 'then', '0', ''),
    weight: 1,
  },
)

const numbers = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(0, -0, 127, 128, 255, 256, 65535, 65536, -32, -33, -128, -129, 2 ** 31, 2 ** 32, 2 ** 53),
)

const binary = fc.oneof(
  fc.uint8Array(),
  fc.uint8Array().map(bytes => Buffer.from(bytes)),
  fc.uint8Array().map(bytes => new Uint8Array(bytes).buffer),
  fc.uint8Array().map(bytes => new DataView(new Uint8Array(bytes).buffer)),
  fc.uint8ClampedArray(),
  fc.int8Array(),
  fc.uint16Array(),
  fc.int16Array(),
  fc.uint32Array(),
  fc.int32Array(),
  fc.float32Array(),
  fc.float64Array(),
  fc.bigUint64Array(),
  fc.bigInt64Array(),
)

const { value: anyValue } = fc.letrec<{ value: unknown; object: object; error: Error }>(tie => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.oneof(
      fc.constantFrom(undefined, null, true, false),
      numbers,
      text,
      fc.bigInt(),
      fc.date({ noInvalidDate: true }),
      fc.constantFrom(/a+/giu, /[/\n]/s, /é😀/u),
      binary,
    ),
    fc.array(tie('value'), { maxLength: 6 }),
    tie('object'),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map(entries => new Map(entries)),
    fc.array(tie('value'), { maxLength: 4 }).map(members => new Set(members)),
    tie('error'),
  ),
  object: fc
    .array(fc.tuple(name, tie('value')), { maxLength: 6 })
    .map(entries => Object.fromEntries(entries)),
  error: fc
    .record({
      Class: fc.constantFrom(Error, TypeError, RangeError, SyntaxError, URIError),
      message: text,
      cause: tie('value'),
      fields: fc.dictionary(fc.constantFrom('code', 'errno', 'details'), tie('value')),
    })
    .map(({ Class, message, cause, fields }) => Object.assign(new Class(message, { cause }), fields)),
}))

/** Any value that can be stored and that `isDeepStrictEqual` can compare, up to five levels deep. */
export const value: fc.Arbitrary<unknown> = anyValue

/** What JSON and msgpack both have words for, and every reader of either understands alike. */
export const plainValue: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constantFrom(null, true, false, 0, 'x'),
    fc.string({ unit: 'binary' }).filter(string => !string.startsWith('\ufeff')),
    fc.double({ noDefaultInfinity: true, noNaN: true }).map(number => (Object.is(number, -0) ? 0 : number)),
    fc.maxSafeInteger(),
    fc.array(tie('value'), { maxLength: 20 }),
    fc.dictionary(
      fc.string().filter(key => key !== '__proto__'),
      tie('value'),
      { maxKeys: 20, noNullPrototype: true },
    ),
  ),
})).value
