import type { Hint, Hints } from '../../actors/ports.ts'
import { partitionOf } from '../workflow/address.ts'
import type { NatsConnection } from './connection.ts'
import { translate } from './errors.ts'
import type { Namespace } from './provision.ts'
import { parseKey } from './subjects.ts'

const force = new TextEncoder().encode('force')
const nothing = new Uint8Array(0)

/**
 * Hints as messages that are not stored: the subject says whom, the content is `force` or nothing. One subscription hears
 * those of the whole namespace. Each goes to every node, and is a look-up there; a subscription for each partition would
 * cost the servers more, and with each instance far more.
 */
export class NatsHints implements Hints {
  readonly #connection: NatsConnection
  readonly #namespace: Namespace

  constructor(connection: NatsConnection, namespace: Namespace) {
    this.#connection = connection
    this.#namespace = namespace
  }

  send({ target, isForced }: Hint): void {
    const { partitions, subjects } = this.#namespace
    // Who may not publish it is not told: the cancel is as durable without, and only slower.
    this.#connection.send(subjects.hint(partitionOf(target, partitions), target), isForced ? force : nothing)
  }

  async listen(listener: (hint: Hint) => void): Promise<() => void> {
    const { allHints } = this.#namespace.subjects
    let refusal: Error | undefined
    const subscription = this.#connection.nc.subscribe(allHints, {
      callback: (error, msg) => {
        if (error !== null) {
          refusal = error
          return
        }
        const target = parseKey(msg.subject)?.address
        if (target !== undefined) listener({ target, isForced: msg.data.length > 0 })
      },
    })
    try {
      // The server has taken or refused the subscription when it answers this.
      await this.#connection.nc.flush()
      if (refusal !== undefined) throw refusal
    } catch (error) {
      subscription.unsubscribe()
      throw translate(error, { what: 'hear of cancels', subject: allHints })
    }
    return () => subscription.unsubscribe()
  }
}
