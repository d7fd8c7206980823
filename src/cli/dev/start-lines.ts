import type { Style } from '../style.ts'
import { pad } from '../text.ts'
import { webhookSubject } from './sample-feed.ts'
import type { DevFacts, DevView } from './dev-view.ts'

/** What runs where, and what becomes of the feed. */
export function startLines({ facts, feed }: DevView, style: Style): string[] {
  const { dataName, found, namespace, node, partitions, server, workflows } = facts
  const version = server.version === undefined ? '' : ` ${server.version}`
  const rows = [
    [`nats-server${version}`, server.url],
    ['node', `${node}, ${partitions} partitions, namespace ${namespace}`],
    ['workflows', workflows.map(workflowText).join(', ')],
    ['data', `${dataName}${found === 0 ? '' : `, ${counted(found, 'instance')} found again`}`],
  ] as const
  const width = Math.max(...rows.map(([name]) => name.length))
  return [
    style.bold('holdfast dev'),
    '',
    ...rows.map(([name, value]) => `  ${style.dim(pad(name, width))}  ${value}`),
    ...(feed === undefined ? [] : ['', feedLine(feed)]),
  ]
}

function workflowText({ isPaused, name, version }: DevFacts['workflows'][number]): string {
  return `${name} v${version}${isPaused ? ' (paused)' : ''}`
}

/** `1 instance`, `2 instances`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function feedLine({ before, total }: { readonly before: number; readonly total: number }): string {
  if (before === 0) return `Feeding ${total} GitHub webhooks through NATS, on ${webhookSubject}.*`
  if (before < total)
    return `Feeding the last ${total - before} of ${total} GitHub webhooks, on ${webhookSubject}.*`
  return `All ${total} GitHub webhooks were delivered in an earlier run; listening for more`
}
