import { RuntimeError } from '../../actors/errors.ts'
import { connectionOptionNames, openClientTransport, type ConnectionOptions } from '../nats/transport.ts'
import { systemClock } from '../clock.ts'
import { unknownOptions } from '../workflow/unknown-options.ts'
import { Client } from './client.ts'
import { createIds } from './ids.ts'

export interface ConnectOptions extends ConnectionOptions {
  /** Which runtime to talk to among those that share the account. Default `default`. */
  readonly namespace?: string
}

/**
 * Connects a client. It needs no node in this process; the namespace must have been created by one somewhere.
 *
 * @throws RuntimeError `OPTIONS_INVALID`; `CONNECTION_FAILED`, `PERMISSION_DENIED`, `JETSTREAM_DISABLED`, `SERVER_UNSUPPORTED`;
 * `NAMESPACE_NOT_FOUND` when no node of it has ever run
 */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const problems = unknownOptions(options, ['namespace', ...connectionOptionNames])
  if (problems.length > 0) {
    throw new RuntimeError('OPTIONS_INVALID', `connect: ${problems.join('; ')}`, { fields: { problems } })
  }
  const { namespace = 'default', ...connection } = options
  const transport = await openClientTransport({ clock: systemClock, connection, namespace })
  return new Client({
    ...transport,
    clock: systemClock,
    nextId: createIds(),
    close: () => transport.close(),
  })
}
