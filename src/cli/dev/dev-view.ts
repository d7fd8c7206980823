import type { Address } from '../../../actors/address.ts'
import type { InstanceStatus } from '../../../actors/record.ts'
import { formatState } from '../../../actors/state.ts'
import { pullRequest } from '../../../actors/workflows/pull-request.ts'
import { orderFulfilment } from '../../../actors/workflows/order-fulfilment.ts'
import type { InstanceSnapshot } from '../../client/instance-snapshot.ts'
import { formatAddress } from '../../workflow/address.ts'

/** What runs where. */
export interface DevFacts {
  readonly dataFolder: string
  /** The folder as the user would call it. */
  readonly dataName: string
  readonly logFile: string
  readonly namespace: string
  readonly node: string
  readonly partitions: number
  readonly pid: number
  readonly server: { readonly url: string; readonly version: string | undefined }
  /** Paused, when this began. */
  readonly workflows: readonly {
    readonly isPaused: boolean
    readonly name: string
    readonly version: number
  }[]
  /** How many instances there were already. */
  readonly found: number
}

/** An instance as the screen shows it. */
export interface DevRow {
  readonly name: string
  readonly address: Address
  readonly createdAt: number
  readonly revision: number
  readonly state: string
  readonly status: InstanceStatus
  readonly updatedAt: number
  /** Webhooks applied, for a pull request. */
  readonly webhooks: number
  readonly awaitsShipment: boolean
}

export interface FeedView {
  readonly total: number
  /** How many were delivered in earlier runs. */
  readonly before: number
  /** The stream that keeps what cannot be applied. */
  readonly deadLetters: string
}

/** What `holdfast dev` knows about what it runs, for whoever shows it. */
export class DevView {
  readonly facts: DevFacts
  /** Undefined without `--feed`. */
  readonly feed: FeedView | undefined
  readonly #rows = new Map<string, DevRow>()
  #applied = 0
  #refused = 0

  constructor(facts: DevFacts, feed: FeedView | undefined) {
    this.facts = facts
    this.feed = feed
  }

  /** Webhooks that instances have applied, as their records say. */
  get applied(): number {
    return Math.min(this.#applied, this.feed?.total ?? 0)
  }

  /** Messages that could not be applied, in this run. */
  get refused(): number {
    return this.#refused
  }

  get isFed(): boolean {
    return this.feed !== undefined && this.applied === this.feed.total
  }

  /** By age, so that rows keep their place. */
  rows(): readonly DevRow[] {
    return [...this.#rows.values()].toSorted(
      (a, b) => a.createdAt - b.createdAt || (a.name < b.name ? -1 : 1),
    )
  }

  /** Takes in that a message could not be applied. */
  refuse(): void {
    this.#refused += 1
  }

  /** Takes in what was committed. */
  add(snapshot: InstanceSnapshot): DevRow {
    const row = toRow(snapshot)
    this.#applied += row.webhooks - (this.#rows.get(row.name)?.webhooks ?? 0)
    this.#rows.set(row.name, row)
    return row
  }
}

function toRow(snapshot: InstanceSnapshot): DevRow {
  const { address, context, createdAt, revision, status, updatedAt, value } = snapshot
  const isPullRequest = address.workflow === pullRequest.name
  return {
    name: formatAddress(address),
    address,
    createdAt: createdAt.getTime(),
    revision,
    state: formatState(value),
    status,
    updatedAt: updatedAt.getTime(),
    webhooks: isPullRequest ? (context as { counts: { webhooks: number } }).counts.webhooks : 0,
    awaitsShipment: address.workflow === orderFulfilment.name && snapshot.matches('awaitingShipment'),
  }
}
