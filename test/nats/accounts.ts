import { ownServer } from '../support/nats.ts'
import type { NatsServer } from '../../src/nats/server.ts'

/** What a user may do, in the server's words. */
export interface Permissions {
  readonly publish?: object
  readonly subscribe?: object
}

/**
 * A server for this test alone with the users `admin`, who may do everything, `limited`, with those permissions, and
 * `plain`, whose account has no JetStream. The password of each is `pass`.
 */
export function serverWithUsers(limited: Permissions = {}): Promise<NatsServer> {
  const users = [
    { user: 'admin', password: 'pass' },
    { user: 'limited', password: 'pass', permissions: limited },
  ]
  const accounts = {
    WITH: { jetstream: 'enabled', users },
    WITHOUT: { users: [{ user: 'plain', password: 'pass' }] },
  }
  return ownServer({ extraConfig: `accounts: ${JSON.stringify(accounts)}\nno_auth_user: admin` })
}

/** The URL of the server with the name and password of a user in it. */
export function urlOf(server: NatsServer, user: string, password = 'pass'): string {
  return `nats://${user}:${password}@127.0.0.1:${server.port}`
}
