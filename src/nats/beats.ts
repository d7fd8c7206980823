import type { Msg } from 'nats'

import type { BeatListener, Beats } from '../../actors/ports.ts'
import { decodeBeat } from '../codec/task.ts'
import type { NatsConnection } from './connection.ts'
import { translate } from './errors.ts'
import type { Namespace } from './provision.ts'
import { parseBeat } from './subjects.ts'

/**
 * Heartbeats of workers as messages that are not stored: the subject says whose. Whoever runs a partition hears those of
 * its instances, and nobody else does: there may be many.
 */
export class NatsBeats implements Beats {
  readonly #connection: NatsConnection
  readonly #namespace: Namespace

  constructor(connection: NatsConnection, namespace: Namespace) {
    this.#connection = connection
    this.#namespace = namespace
  }

  async listen(partition: number, listener: BeatListener): Promise<() => void> {
    const subject = this.#namespace.subjects.beats(partition)
    let refusal: Error | undefined
    const subscription = this.#connection.nc.subscribe(subject, {
      callback: (error, msg) => {
        if (error === null) heard(msg, listener)
        else refusal = error
      },
    })
    try {
      // The server has taken or refused the subscription when it answers this.
      await this.#connection.nc.flush()
      if (refusal !== undefined) throw refusal
    } catch (error) {
      subscription.unsubscribe()
      throw translate(error, { what: 'hear the heartbeats of workers', subject })
    }
    return () => subscription.unsubscribe()
  }
}

function heard({ data, subject }: Msg, listener: BeatListener): void {
  const task = parseBeat(subject)
  if (task === undefined) return
  const { attempt, incarnation, instance, path } = task
  let said: ReturnType<typeof decodeBeat>
  try {
    said = decodeBeat(data)
  } catch (error) {
    listener.malformed(error as Error)
    return
  }
  listener.beat({ attempt, incarnation, instance, path, ...said })
}
