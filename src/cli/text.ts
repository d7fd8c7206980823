const wide =
  /\p{Emoji_Presentation}|[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE4F\uFF00-\uFF60\uFFE0-\uFFE6\u{20000}-\u{3FFFD}]/u
const invisible = /^[\p{Mn}\p{Me}\p{Cf}]+$/u
const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })
// What a terminal would obey instead of showing it; also the marks that turn the direction of a line.
const commanding = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu

/** The text with everything a terminal would obey replaced by its code: ids and events come from anywhere. */
export function printable(text: string): string {
  return text.replace(commanding, character => {
    return `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`
  })
}

/** How many columns a text without colours takes in a terminal. */
export function widthOf(text: string): number {
  if (/^[\u0020-\u007E]*$/.test(text)) return text.length
  return lettersOf(text).reduce((width, letter) => width + letterWidth(letter), 0)
}

/** The text in at most that many columns: its beginning and an ellipsis if it is longer. */
export function shortenEnd(text: string, width: number): string {
  return widthOf(text) <= width ? text : `${fitting(lettersOf(text), width - 1).join('')}…`
}

/** The same, keeping the end. Cuts at a separator if one is near, so that what is left reads as names. */
export function shortenStart(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  const kept = fitting(lettersOf(text).reverse(), width - 1).reverse()
  const separator = kept.findIndex(letter => '.|_/ '.includes(letter))
  const isNear = separator >= 0 && separator < kept.length / 2
  return `…${kept.slice(isNear ? separator + 1 : 0).join('')}`
}

/** Fills a text up to a width with blanks. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(text)))
  return align === 'left' ? text + blanks : blanks + text
}

/** What a reader takes for one letter: an emoji or a letter with accents may be several characters. */
function lettersOf(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment)
}

function letterWidth(letter: string): number {
  if (wide.test(letter)) return 2
  return invisible.test(letter) ? 0 : 1
}

function fitting(letters: readonly string[], width: number): string[] {
  let used = 0
  const end = letters.findIndex(letter => (used += letterWidth(letter)) > width)
  return letters.slice(0, end < 0 ? undefined : end)
}
