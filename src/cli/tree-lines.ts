import type { Failure } from '../../actors/restarts.ts'
import type {
  SupervisedActivity,
  SupervisedInstance,
  SupervisedPartition,
  SupervisionDepth,
} from '../../actors/supervision.ts'
import type { NodeSummary } from '../client/supervision.ts'
import { formatAddress } from '../workflow/address.ts'
import { markOf, paintStatus } from './instance-view.ts'
import type { Style } from './style.ts'
import { printable, shortenEnd, widthOf } from './text.ts'
import { formatAge, formatDue, formatTime } from './time.ts'

export interface TreeView {
  readonly depth: SupervisionDepth
  readonly now: number
  readonly style: Style
  /** Columns of the terminal. */
  readonly width: number
}

/** A line of the tree in pieces that are coloured one by one, and what hangs below it. */
interface Branch {
  readonly pieces: readonly Piece[]
  readonly children: readonly Branch[]
}

interface Piece {
  readonly text: string
  readonly paint?: (text: string) => string
}

/** The supervision tree, as people know trees from their terminals. */
export function treeLines(nodes: readonly NodeSummary[], view: TreeView): string[] {
  return nodes.flatMap((node, index) => {
    const lines = draw(nodeBranch(node, view), '', '', view)
    return index === 0 ? lines : ['', ...lines]
  })
}

function draw({ children, pieces }: Branch, first: string, rest: string, view: TreeView): string[] {
  const { style, width } = view
  const lines = [style.dim(first) + fitted(pieces, width - widthOf(first))]
  children.forEach((child, index) => {
    const isLast = index === children.length - 1
    lines.push(...draw(child, `${rest}${isLast ? '└─ ' : '├─ '}`, `${rest}${isLast ? '   ' : '│  '}`, view))
  })
  return lines
}

/** The pieces with two blanks between them; what does not fit is cut at the end. */
function fitted(pieces: readonly Piece[], width: number): string {
  let left = width
  const shown: string[] = []
  for (const { paint = (plain: string) => plain, text } of pieces) {
    const gap = shown.length === 0 ? 0 : 2
    if (left <= gap + 1) break
    const cut = shortenEnd(printable(text), left - gap)
    left -= gap + widthOf(cut)
    shown.push(paint(cut))
  }
  return shown.join('  ')
}

function nodeBranch(node: NodeSummary, view: TreeView): Branch {
  const { now, style } = view
  const name: Piece = { text: node.name, paint: text => style.bold(text) }
  if (!node.isAnswering)
    return { pieces: [name, { text: 'does not answer', paint: text => style.red(text) }], children: [] }
  const { activities, partitions, resident, startedAt, version } = node
  const facts = [
    `${partitions.serving.length} of ${counted(partitions.total, 'partition')}`,
    counted(resident, 'instance'),
    `${counted(activities.running, 'activity', 'activities')} running`,
    ...(activities.waiting === 0 ? [] : [`${activities.waiting} waiting`]),
    ...(activities.abandoned === 0 ? [] : [`${activities.abandoned} abandoned`]),
    `up ${formatAge(now - startedAt)}`,
    `v${version}`,
  ]
  const shown = node.children.filter(partition => isOfInterest(partition, view.depth))
  return {
    pieces: [name, ...facts.map((fact): Piece => ({ text: fact, paint: text => style.dim(text) }))],
    children: shown.map(partition => partitionBranch(partition, view)),
  }
}

/** One in which nothing goes on is shown when partitions are what is wanted. */
function isOfInterest({ children, restarts, state }: SupervisedPartition, depth: SupervisionDepth): boolean {
  return depth === 'partitions' || children.length > 0 || restarts.count > 0 || state !== 'owned.serving'
}

function partitionBranch(partition: SupervisedPartition, view: TreeView): Branch {
  const { avoidedUntil, children, resident, restarts, state, term } = partition
  const { depth, now, style } = view
  const plain = state.replace('owned.', '')
  const pieces: Piece[] = [
    { text: `partition ${partition.partition}` },
    { text: plain, paint: text => (plain === 'serving' ? style.cyan(text) : style.yellow(text)) },
  ]
  if (avoidedUntil !== undefined) {
    const until = formatTime(new Date(avoidedUntil))
    pieces.push({ text: `avoided until ${until}`, paint: text => style.red(text) })
  }
  if (term !== undefined) pieces.push({ text: `term ${term}`, paint: text => style.dim(text) })
  pieces.push({ text: counted(resident, 'instance'), paint: text => style.dim(text) })
  const last = restarts.failures.at(-1)
  if (last !== undefined) {
    pieces.push({ text: counted(restarts.count, 'restart'), paint: text => style.yellow(text) })
    pieces.push({
      text: `${formatAge(now - last.at)} ago: ${errorText(last)}`,
      paint: text => style.red(text),
    })
  }
  const more = resident - children.length
  const hasMore = more > 0 && (depth === 'instances' || depth === 'activities')
  const rest: Branch[] = hasMore
    ? [{ pieces: [{ text: `… and ${more} more`, paint: text => style.dim(text) }], children: [] }]
    : []
  return { pieces, children: [...children.map(instance => instanceBranch(instance, view)), ...rest] }
}

function instanceBranch(
  { address, children, isHeld, state, status }: SupervisedInstance,
  view: TreeView,
): Branch {
  const { style } = view
  const pieces: Piece[] = [
    { text: `${markOf(status)} ${formatAddress(address)}`, paint: text => paintStatus(text, status, style) },
    { text: state },
  ]
  if (isHeld) pieces.push({ text: 'workflow paused', paint: text => style.yellow(text) })
  return { pieces, children: children.map(activity => activityBranch(activity, view)) }
}

function activityBranch(activity: SupervisedActivity, { now, style }: TreeView): Branch {
  const { attempt, lastError, pool, retryAt, src, startedAt, state } = activity
  const waiting =
    retryAt === undefined
      ? `attempt ${attempt} waits for pool ${pool}`
      : `attempt ${attempt} failed, next ${formatDue(retryAt, now)}`
  const pieces: Piece[] = [
    { text: src },
    state === 'waiting'
      ? { text: waiting, paint: text => style.yellow(text) }
      : { text: state === 'running' ? `attempt ${attempt} running` : state, paint: text => style.cyan(text) },
  ]
  if (lastError !== undefined) pieces.push({ text: errorText(lastError), paint: text => style.red(text) })
  pieces.push({ text: `since ${formatAge(now - startedAt)}`, paint: text => style.dim(text) })
  return { pieces, children: [] }
}

function errorText({ code, message }: Omit<Failure, 'at'>): string {
  return code === undefined ? message : `${code}: ${message}`
}

function counted(count: number, noun: string, nouns = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : nouns}`
}
