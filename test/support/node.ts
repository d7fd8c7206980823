import { onTestFinished } from 'vitest'

import { createNode, RuntimeError, type Node, type NodeOptions } from '../../src/index.ts'
import { freshNamespace, sharedServerUrl } from './nats.ts'
import { echo, tally } from './workflows.ts'

/** A node on the shared server, in a namespace of its own, stopped when the test ends. */
export async function startNode(options: Partial<NodeOptions> = {}): Promise<Node> {
  const node = await createNode({
    servers: sharedServerUrl(),
    namespace: freshNamespace(),
    partitions: 4,
    workflows: [tally, echo],
    log: 'silent',
    ...options,
  })
  onTestFinished(() => node.stop())
  return node
}

/** The code of the error a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof RuntimeError ? error.code : String(error)),
  )
}

export async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const value of values) all.push(value)
  return all
}
