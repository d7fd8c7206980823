import { onTestFinished } from 'vitest'
import { connectNats, type ConnectNatsOptions, type NatsConnection } from '../../src/nats/connection.ts'
import { provision, type ProvisionedNamespace } from '../../src/nats/provision.ts'
import { systemClock } from '../../src/clock.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'

export interface NatsFixture {
  readonly connection: NatsConnection
  readonly namespace: ProvisionedNamespace
}

/** A connection of its own, closed when the test ends. */
export async function testConnection(
  servers = sharedServerUrl(),
  options: Partial<ConnectNatsOptions> = {},
): Promise<NatsConnection> {
  const connection = await connectNats({ clock: systemClock, servers, ...options })
  onTestFinished(() => connection.close())
  return connection
}

/** A connection and a namespace that nobody else uses. */
export async function natsFixture(
  options: { readonly leaseTtlMs?: number; readonly partitions?: number; readonly url?: string } = {},
): Promise<NatsFixture> {
  const { url, ...wanted } = options
  const connection = await testConnection(url)
  return { connection, namespace: await provision(connection, { ...wanted, namespace: freshNamespace() }) }
}
