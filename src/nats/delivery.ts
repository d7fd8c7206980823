/** Where a message of a consumer stands, as its reply subject says. */
export interface DeliveryPlace {
  /** How often this consumer has delivered the message, this time included. */
  readonly deliveries: number
  /** Counts what this consumer has delivered, from 1: a gap means that something was lost on the way. */
  readonly deliverySeq: number
  /** How many messages for this consumer come after it. */
  readonly pending: number
  /** Sequence in the stream. */
  readonly seq: number
  /** When it was stored: milliseconds since the epoch, by the server's clock. */
  readonly time: number
}

/** Reads `$JS.ACK.…`, in the form with and without domain and account. */
export function placeOf(reply: string): DeliveryPlace {
  const tokens = reply.split('.')
  // $JS.ACK.<stream>.<consumer>.<count>.<seq>.<delivery seq>.<time>.<pending>, or, longer:
  // $JS.ACK.<domain>.<account>.<stream>.<consumer>.<count>.<seq>.<delivery seq>.<time>.<pending>.<random>
  const at = tokens.length === 9 ? 5 : 7
  return {
    deliveries: Number(tokens[at - 1]),
    deliverySeq: Number(tokens[at + 1]),
    pending: Number(tokens[at + 3]),
    seq: Number(tokens[at]),
    time: Math.floor(Number(tokens[at + 2]) / 1e6),
  }
}
