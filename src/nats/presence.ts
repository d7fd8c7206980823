/**
 * Keeps two live nodes from running under one name.
 *
 * A node answers on a subject made of its name for as long as it is connected. Before it begins it asks there: an
 * answer means that an older node of the name is alive, and the younger refuses to start. Nobody listening is
 * something the server says at once, so a restart after a crash loses no time. Of nodes that start at the same time none
 * is there to answer the others: each answers first, then writes a key of that name, at the revision it has seen before,
 * and whoever is refused asks again. An older node that is connected but does not answer is paused or partitioned: it is
 * not waited for, the fences of its leases and records hold.
 */
import { RuntimeError } from '../../actors/errors.ts'
import type { NatsConnection } from './connection.ts'
import { readEntry } from './entry.ts'
import { isConflict, translate } from './errors.ts'
import { Headers } from './headers.ts'
import type { Namespace } from './provision.ts'

const askTimeoutMs = 500

/**
 * Claims the name for this connection; answers how to give it up.
 *
 * @throws RuntimeError `NODE_NAME_TAKEN`; `PERMISSION_DENIED`; `STORE_UNAVAILABLE`
 */
export async function claimName(
  connection: NatsConnection,
  namespace: Namespace,
  node: { readonly name: string; readonly incarnation: string },
): Promise<() => void> {
  const subject = namespace.subjects.presence(node.name)
  const attempted = { what: `claim the name '${node.name}'`, subject }
  for (;;) {
    if (await isAnswered(connection, subject)) {
      throw new RuntimeError(
        'NODE_NAME_TAKEN',
        `a node named '${node.name}' is alive in namespace '${namespace.name}': stop it or choose another name`,
        { fields: { name: node.name, namespace: namespace.name } },
      )
    }
    const give = await claimOnce(connection, namespace, node).catch((error: unknown) => {
      throw translate(error, attempted)
    })
    if (give !== undefined) return give
  }
}

/** Undefined when another node of the name was faster: it answers by now, or has ended. */
async function claimOnce(
  connection: NatsConnection,
  { subjects }: Namespace,
  node: { readonly name: string; readonly incarnation: string },
): Promise<(() => void) | undefined> {
  const key = subjects.nameClaim(node.name)
  const before = await readEntry(connection, subjects.leaseStream, key)
  const incarnation = new TextEncoder().encode(node.incarnation)
  let refusal: Error | undefined
  const subscription = connection.nc.subscribe(subjects.presence(node.name), {
    callback: (error, msg) => {
      if (error === null) msg.respond(incarnation)
      else refusal = error
    },
  })
  try {
    // The server has taken or refused the subscription when it answers this.
    await connection.nc.flush()
    if (refusal !== undefined) throw refusal
    const headers = Headers.of({ 'Nats-Expected-Last-Subject-Sequence': String(before?.seq ?? 0) })
    await connection.publish(key, incarnation, { headers })
    return () => subscription.unsubscribe()
  } catch (error) {
    subscription.unsubscribe()
    if (isConflict(error)) return undefined
    throw error
  }
}

async function isAnswered(connection: NatsConnection, subject: string): Promise<boolean> {
  try {
    await connection.request(subject, undefined, { timeoutMs: askTimeoutMs })
    return true
  } catch {
    // Nobody listens, or whoever listens is not able to answer.
    return false
  }
}
