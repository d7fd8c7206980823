import type { Inspection } from '../../actors/ports.ts'
import type { SupervisedNode, SupervisionDepth } from '../../actors/supervision.ts'
import { parseDuration, type Duration } from '../workflow/duration.ts'

export interface NodesOptions {
  readonly signal?: AbortSignal
  /** How long to wait for each node. Default 2 s. */
  readonly timeout?: Duration
}

export interface TreeOptions extends NodesOptions {
  /** How deep to look. Default `activities`, all of it. */
  readonly depth?: SupervisionDepth
  /** Only this node. */
  readonly node?: string
  /** Only instances of this workflow. */
  readonly workflow?: string
}

/** A node, or the name of one that has said that it is alive and does not answer. */
export type NodeSummary =
  | ({ readonly isAnswering: true } & SupervisedNode)
  | { readonly isAnswering: false; readonly name: string }

/** Asks all nodes at the same time. */
export async function askNodes(
  inspection: Pick<Inspection, 'ask' | 'names'>,
  { depth, node, workflow, signal, timeout = '2s' }: TreeOptions & { readonly depth: SupervisionDepth },
): Promise<readonly NodeSummary[]> {
  const timeoutMs = parseDuration(timeout, 'timeout')
  const names = node === undefined ? await inspection.names() : [node]
  return Promise.all(
    names.map(async (name): Promise<NodeSummary> => {
      const answer = await inspection.ask(name, { depth, workflow }, { timeoutMs, signal })
      return answer === undefined ? { isAnswering: false, name } : { isAnswering: true, ...answer }
    }),
  )
}
