import { shellWord } from '../instance-view.ts'
import type { DevFacts, DevRow } from './dev-view.ts'

/** What to type next, ready to be copied. */
export function nextCommands(
  program: string,
  rows: readonly DevRow[],
  facts: DevFacts,
  isFound: boolean,
): readonly string[] {
  // Elsewhere than in this folder the other commands would not find us by themselves.
  const where = isFound ? '' : ` --server ${shellWord(facts.server.url)}`
  const shipping = rows.find(row => row.awaitsShipment)
  const [shown] = rows.filter(row => row.webhooks > 0).concat(rows)
  if (shown === undefined) {
    return [
      `${program} start pull-request my/repo-1 --input '{"repository":"my/repo","number":1}'${where}`,
      `${program} list${where}`,
    ]
  }
  const commands = [`${program} list${where}`, `${program} show ${shellWord(shown.name)}${where}`]
  if (shipping !== undefined) {
    commands.push(
      `${program} send ${shellWord(shipping.name)} SHIPPED --data '{"trackingNumber":"1Z999"}'${where}`,
    )
  }
  return commands
}
