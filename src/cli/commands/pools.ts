import type { Client } from '../../client/client.ts'
import type { PoolSnapshot } from '../../client/pool-snapshot.ts'
import { stringify } from '../../codec/json.ts'
import { formatAddress } from '../../workflow/address.ts'
import { defineCommand } from '../command.ts'
import { withClient } from '../open-client.ts'
import type { Style } from '../style.ts'
import { renderTable, type Column } from '../table.ts'
import { writeLines } from '../terminal.ts'

export const pools = defineCommand({
  name: 'pools',
  summary: 'list pools: permits, who holds them, how many wait',
  description: ['It shows what was last committed; no node needs to run for it.'],
  parameters: ['[name]'],
  options: {},
  examples: [
    ['pools', 'all of them'],
    ['pools sites', 'one, and who holds its permits'],
    ["pools --json | jq -r '.[].name'", 'for programs'],
  ],
  async run(call) {
    const [name] = call.parameters
    const { options, signal, terminal } = call
    const { out } = terminal
    const all = await withClient(call, client => readPools(client, name, signal))
    const { columns: width, style } = out
    if (options.json) writeLines(out, stringify(all.map(poolJson)))
    else if (all.length === 0)
      writeLines(out, name === undefined ? 'no pools yet' : 'nobody has asked for that pool yet')
    else writeLines(out, ...renderTable(all, poolColumns(style), { style, width }))
    if (options.json || name === undefined) return
    for (const { held } of all) {
      if (held.length > 0) writeLines(out, '', ...renderTable(held, holderColumns(style), { style, width }))
    }
  },
})

/** By name. */
async function readPools(
  client: Client,
  name: string | undefined,
  signal: AbortSignal,
): Promise<readonly PoolSnapshot[]> {
  const names = name === undefined ? [] : [name]
  if (name === undefined) for await (const found of client.pools({ signal })) names.push(found)
  const all: PoolSnapshot[] = []
  for (const each of names.toSorted()) {
    const found = await client.pool(each, { signal })
    if (found !== undefined) all.push(found)
  }
  return all
}

function poolJson({ held, ...pool }: PoolSnapshot): object {
  return { ...pool, held: held.map(({ address, permits }) => ({ address: formatAddress(address), permits })) }
}

function poolColumns(style: Style): Column<PoolSnapshot>[] {
  const used = ({ held }: PoolSnapshot) => held.reduce((sum, { permits }) => sum + permits, 0)
  return [
    { title: 'POOL', text: ({ name }) => name, paint: text => style.bold(text) },
    { title: 'PERMITS', align: 'right', text: ({ permits }) => String(permits) },
    { title: 'HELD', align: 'right', text: pool => String(used(pool)) },
    { title: 'WAITING', align: 'right', text: ({ waiting }) => String(waiting) },
  ]
}

function holderColumns(style: Style): Column<PoolSnapshot['held'][number]>[] {
  return [
    { title: 'HOLDER', text: ({ address }) => formatAddress(address), paint: text => style.bold(text) },
    { title: 'PERMITS', align: 'right', text: ({ permits }) => String(permits) },
  ]
}
