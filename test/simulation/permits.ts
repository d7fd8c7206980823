/** What must hold of a pool and of those that want its permits, whatever is stored in which order. */
import { holderOf, permitsOf, poolWorkflow, type Claim, type Pool } from '../../actors/pool.ts'
import { formatAddress } from '../../src/workflow/address.ts'
import type { Chain } from './chain.ts'

const priorityOf = (claim: Claim) => claim[5]

export class Permits {
  readonly #name: string
  /** By instance, the names of the claims for which it has permits, as its record says. */
  readonly #holders = new Map<string, ReadonlySet<string>>()
  /** By name of each claim of the last record, since which record of the pool it is there. */
  #arrivals: ReadonlyMap<string, number> = new Map()
  #count = 0
  #pool: Pool = { permits: 0, held: [], waiting: [] }

  /** @param name of the pool */
  constructor(name: string) {
    this.#name = name
  }

  /** A record is stored. Answers what is wrong with that. */
  stored({ address, record }: Chain): string | undefined {
    if (address.workflow === poolWorkflow) {
      return address.id === this.#name ? this.#served(record.snapshot.context as Pool) : undefined
    }
    const held = record.activities.filter(({ permit }) => permit?.pool === this.#name && permit.isHeld)
    const names = held.map(({ path, incarnation, permit }) =>
      nameOf({ address, path, incarnation: permit?.claim ?? incarnation }),
    )
    this.#holders.set(formatAddress(address), new Set(names))
    const given = new Set(this.#pool.held.map(claim => nameOf(holderOf(claim))))
    const wrong = names.find(name => !given.has(name))
    return wrong === undefined ? undefined : `it has permits for ${wrong} that the pool has not given`
  }

  /** What the pool still has to do; undefined when all is given back and nobody waits. */
  unsettled(): string | undefined {
    const { held, waiting } = this.#pool
    if (held.length + waiting.length === 0) return undefined
    return `of the pool ${this.#name} ${held.map(shown).join(', ')} hold permits, ${waiting.map(shown).join(', ')} wait`
  }

  #served(next: Pool): string | undefined {
    const last = this.#pool
    this.#pool = next
    const { permits, held, waiting } = next
    const used = held.reduce((sum, claim) => sum + permitsOf(claim), 0)
    if (used > permits) return `${used} of ${permits} permits are given`
    const [first] = waiting
    if (first !== undefined && permitsOf(first) <= permits - used) return `${shown(first)} waits for nothing`
    const names = [...held, ...waiting].map(shown)
    if (new Set(names).size < names.length) return `somebody claims twice: ${names.join(', ')}`
    const kept = new Set(held.map(shown))
    const robbed = last.held.find(claim => !kept.has(shown(claim)) && this.#isHolding(claim))
    if (robbed !== undefined) return `${shown(robbed)} has its permits still`
    return this.#wrongOrder(last, next)
  }

  /** Whether somebody was served before another one that had come earlier, or was to be served first. */
  #wrongOrder(last: Pool, { held, waiting }: Pool): string | undefined {
    const had = new Set(last.held.map(shown))
    const waited = new Set(last.waiting.map(shown))
    this.#count++
    // One that comes again after its release, past every deduplication, is the last to come.
    const arrivalOf = (name: string) => this.#arrivals.get(name) ?? this.#count
    const names = [...held, ...waiting].map(shown)
    this.#arrivals = new Map(names.map(name => [name, arrivalOf(name)]))
    const wait = waiting.filter(claim => waited.has(shown(claim)))
    for (const served of held.filter(claim => !had.has(shown(claim)))) {
      const overtaken = wait.find(claim => this.#isAhead(claim, served))
      if (overtaken !== undefined) return `${shown(served)} is served before ${shown(overtaken)}`
    }
    return undefined
  }

  #isAhead(claim: Claim, served: Claim): boolean {
    const difference = priorityOf(claim) - priorityOf(served)
    if (difference !== 0) return difference < 0
    return this.#arrivals.get(shown(claim))! < this.#arrivals.get(shown(served))!
  }

  #isHolding(claim: Claim): boolean {
    const holder = holderOf(claim)
    return this.#holders.get(formatAddress(holder.address))?.has(nameOf(holder)) === true
  }
}

function shown(claim: Claim): string {
  return nameOf(holderOf(claim))
}

function nameOf({ address, path, incarnation }: ReturnType<typeof holderOf>): string {
  return `${formatAddress(address)}/${path}/${incarnation}`
}
