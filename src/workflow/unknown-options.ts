/**
 * What is wrong with the names of some options. Anything misspelt or not supported is refused: an option that silently does
 * nothing is a trap.
 *
 * @param prefix where these options stand among others, with its dot
 */
export function unknownOptions(options: object, known: readonly string[], prefix = ''): string[] {
  return Object.keys(options)
    .filter(key => !known.includes(key))
    .map(key => `${prefix}${key} is not an option; there are ${known.join(', ')}`)
}
