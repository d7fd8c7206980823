/**
 * Envelopes that are sent again by a sender that waits for an outcome.
 *
 * The stream stores an id once, and says where the first stands. That one may be settled, or names another place to answer
 * at. So it is stored once more, under a name of its own, and says where the first stands: its instance takes it behind the
 * first, and can tell whether that has been applied, see actors/repetition.ts. If a process dies
 *
 * - the sender, before it is stored again: nothing has happened, and whoever wants to know sends it again;
 * - the node, before the first is applied: both come again, in order;
 * - the node, after the first is applied: the record of the instance tells so to the next owner, who answers;
 * - the node, after the answer and before the acknowledgement: it is answered once more, to nobody.
 */
import type { HeaderReader } from './headers.ts'

/** The header that says where the first envelope of the same id stands in the inbox. */
export const REPEATS_HEADER = 'Hf-Repeats'

/** Where the first of the same id stands; undefined when it is the first itself. */
export function repeatedSeq(headers: HeaderReader | undefined): number | undefined {
  const text = headers?.get(REPEATS_HEADER) ?? ''
  if (text === '') return undefined
  const seq = Number(text)
  // Whatever it says, it was sent before: of what came first all else is taken for settled.
  return Number.isSafeInteger(seq) && seq > 0 ? seq : 0
}
