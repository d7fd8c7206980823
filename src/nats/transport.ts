import type {
  Beats,
  Blobs,
  Clock,
  EventSink,
  Heartbeats,
  Hints,
  Inbox,
  Inspection,
  Leases,
  Parking,
  Pauses,
  Snapshots,
  Store,
  TaskQueue,
  Tasks,
} from '../../actors/ports.ts'
import type { Address } from '../../actors/address.ts'
import type { DeadLetterList } from '../../actors/dead-letter.ts'
import { partitionOf } from '../workflow/address.ts'
import { NatsBeats } from './beats.ts'
import { NatsBlobs } from './blobs.ts'
import { isRegistered, listWorkflows, registerWorkflow, type RegisteredWorkflow } from './config.ts'
import { connectNats, type ConnectNatsOptions, type NatsConnection } from './connection.ts'
import { NatsDeadLetterList } from './dead-letter-list.ts'
import { NatsEventSink } from './events.ts'
import { GroupPublisher, type Publisher } from './group-publisher.ts'
import { NatsHeartbeats } from './heartbeats.ts'
import { NatsHints } from './hints.ts'
import { NatsInbox } from './inbox.ts'
import { NatsInspection } from './inspection.ts'
import { isHeld, NatsLeases } from './leases.ts'
import { NatsParking } from './parking.ts'
import { NatsPauses } from './pauses.ts'
import { claimName } from './presence.ts'
import { openNamespace, provision, type Namespace } from './provision.ts'
import { Replies } from './replies.ts'
import { NatsSnapshots } from './snapshots.ts'
import { NatsStore } from './store.ts'
import { hasAtomicBatches } from './streams.ts'
import { NatsTaskQueue } from './task-queue.ts'
import { NatsTasks } from './tasks.ts'

/** How to reach NATS. */
export interface ConnectionOptions extends Omit<
  ConnectNatsOptions,
  'clock' | 'requestTimeoutMs' | 'servers' | 'timeoutMs' | 'name'
> {
  /** One URL or several of one cluster. Default `nats://127.0.0.1:4222`. */
  readonly servers?: string | readonly string[] | undefined
}

export type { RegisteredWorkflow }

const defaultServer = 'nats://127.0.0.1:4222'

/** The names of the options of a connection. */
export const connectionOptionNames = [
  'credentials',
  'inboxPrefix',
  'pass',
  'servers',
  'tls',
  'token',
  'user',
] as const satisfies readonly (keyof ConnectionOptions)[]

/** The workflows that nodes have registered in a namespace, and whether a node runs an instance. */
export interface Directory {
  isRegistered(workflow: string, signal?: AbortSignal): Promise<boolean>
  isServed(address: Address, signal?: AbortSignal): Promise<boolean>
  registerWorkflow(workflow: RegisteredWorkflow): Promise<void>
  listWorkflows(): Promise<readonly RegisteredWorkflow[]>
}

/** What a client needs of NATS, over one connection. */
export interface ClientTransport {
  readonly blobs: Blobs
  readonly deadLetters: DeadLetterList
  readonly directory: Directory
  readonly hints: Hints
  readonly inbox: Inbox
  readonly inspection: Inspection
  readonly partitions: number
  readonly pauses: Pauses
  readonly replies: Pick<Replies, 'expect'>
  readonly snapshots: Snapshots
  /** Sends what has been handed over, then disconnects. Never rejects. */
  close(): Promise<void>
}

/** What a node needs of NATS, over one connection. */
export interface Transport extends ClientTransport {
  readonly beats: Beats
  readonly events: EventSink
  readonly heartbeats: Heartbeats
  /** How long a lease lasts, as the namespace was created. */
  readonly leaseTtlMs: number
  readonly leases: Leases
  readonly parking: Parking
  readonly store: Store
  readonly tasks: Tasks
}

/** What a worker needs of NATS, over one connection. */
export interface WorkerTransport {
  readonly tasks: TaskQueue
  /** Sends what has been handed over, then disconnects. Never rejects. */
  close(): Promise<void>
}

export interface NodeTransportOptions {
  readonly clock: Clock
  readonly connection: ConnectionOptions
  readonly leaseTtlMs: number
  readonly namespace: string
  readonly node: { readonly name: string; readonly incarnation: string }
  readonly partitions: number | undefined
  readonly replicas: number
}

/**
 * Connects a node, creating what is missing of its namespace.
 *
 * @throws RuntimeError as `connectNats` and `provision`; `NODE_NAME_TAKEN`
 */
export async function openTransport(options: NodeTransportOptions): Promise<Transport> {
  const { clock, connection: how, namespace: name, node, leaseTtlMs, partitions, replicas } = options
  const connection = await connectNats({
    ...how,
    servers: how.servers ?? defaultServer,
    clock,
    name: node.name,
  })
  try {
    const namespace = await provision(connection, { namespace: name, leaseTtlMs, partitions, replicas })
    const giveUpName = await claimName(connection, namespace, node)
    const publisher = () => (namespace.takesBatches ? new GroupPublisher(connection) : connection)
    const client = clientTransport(connection, namespace, publisher())
    return {
      ...client,
      beats: new NatsBeats(connection, namespace),
      leaseTtlMs: namespace.leaseTtlMs,
      events: new NatsEventSink(connection, namespace),
      heartbeats: new NatsHeartbeats(connection, namespace, node),
      leases: new NatsLeases(connection, namespace, { node: node.name, incarnation: node.incarnation }),
      parking: new NatsParking(connection, namespace),
      store: new NatsStore(connection, namespace, {
        hasOneCopy: namespace.hasOneCopy,
        publisher: publisher(),
      }),
      tasks: new NatsTasks(connection, namespace, publisher()),
      close() {
        giveUpName()
        return client.close()
      },
    }
  } catch (error) {
    await connection.close()
    throw error
  }
}

/**
 * Connects a client to a namespace that a node has created.
 *
 * @throws RuntimeError as `connectNats` and `openNamespace`
 */
export async function openClientTransport(options: {
  readonly clock: Clock
  readonly connection: ConnectionOptions
  readonly namespace: string
}): Promise<ClientTransport> {
  const { clock, connection: how, namespace } = options
  const connection = await connectNats({
    ...how,
    servers: how.servers ?? defaultServer,
    clock,
    name: 'holdfast client',
  })
  try {
    // Whether the stream takes batches is not a client's to look up: the publisher notices when it takes none.
    const publisher = hasAtomicBatches(connection.serverVersion) ? new GroupPublisher(connection) : connection
    return clientTransport(connection, await openNamespace(connection, namespace), publisher)
  } catch (error) {
    await connection.close()
    throw error
  }
}

/**
 * Connects a worker to a namespace that a node has created.
 *
 * @throws RuntimeError as `connectNats` and `openNamespace`
 */
export async function openWorkerTransport(options: {
  readonly ackWaitMs: number
  readonly clock: Clock
  readonly connection: ConnectionOptions
  readonly namespace: string
}): Promise<WorkerTransport> {
  const { ackWaitMs, clock, connection: how, namespace } = options
  const connection = await connectNats({
    ...how,
    servers: how.servers ?? defaultServer,
    clock,
    name: 'holdfast worker',
  })
  try {
    const publisher = hasAtomicBatches(connection.serverVersion) ? new GroupPublisher(connection) : connection
    const opened = await openNamespace(connection, namespace)
    return {
      tasks: new NatsTaskQueue(connection, opened, { ackWaitMs, publisher }),
      close: () => connection.close(),
    }
  } catch (error) {
    await connection.close()
    throw error
  }
}

function clientTransport(
  connection: NatsConnection,
  namespace: Namespace,
  publisher: Publisher,
): ClientTransport {
  const { subjects } = namespace
  return {
    blobs: new NatsBlobs(connection, namespace),
    deadLetters: new NatsDeadLetterList(connection, namespace),
    directory: {
      registerWorkflow: ({ name, version }) => registerWorkflow(connection, subjects, name, { version }),
      listWorkflows: () => listWorkflows(connection, subjects),
      isRegistered: (workflow, signal) => isRegistered(connection, subjects, workflow, signal),
      isServed: (address, signal) =>
        isHeld(connection, namespace, partitionOf(address, namespace.partitions), signal),
    },
    hints: new NatsHints(connection, namespace),
    inbox: new NatsInbox(connection, namespace, { publisher }),
    inspection: new NatsInspection(connection, namespace),
    partitions: namespace.partitions,
    pauses: new NatsPauses(connection, namespace),
    replies: new Replies(connection),
    snapshots: new NatsSnapshots(connection, namespace),
    close: () => connection.close(),
  }
}
