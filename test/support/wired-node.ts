import { pino } from 'pino'
import { onTestFinished } from 'vitest'

import type { Clock } from '../../actors/ports.ts'
import { createIds } from '../../src/client/ids.ts'
import { systemClock } from '../../src/clock.ts'
import type { NodeOptions } from '../../src/index.ts'
import { openTransport, type Transport } from '../../src/nats/transport.ts'
import { Node } from '../../src/runtime/node.ts'
import { resolveNodeOptions } from '../../src/runtime/options.ts'

/** A node that is not started yet, of which the test has some of the wires in its hands. Stopped when the test ends. */
export async function wiredNode(
  options: NodeOptions,
  rewire: (transport: Transport) => Transport,
  clock: Clock = systemClock,
): Promise<Node> {
  const nextId = createIds()
  const resolved = resolveNodeOptions({ ...options, log: 'silent' }, nextId().slice(0, 6))
  const transport = await openTransport({
    ...resolved,
    clock: systemClock,
    node: { name: resolved.name, incarnation: nextId() },
  })
  const node = new Node(resolved, rewire(transport), pino({ level: 'silent' }), { clock, nextId })
  onTestFinished(() => node.stop())
  return node
}

/** What holds somebody up until it is opened. */
export function gate(): { readonly passed: Promise<void>; open(): void } {
  let open = () => {}
  const passed = new Promise<void>(resolve => {
    open = resolve
  })
  return { passed, open: () => open() }
}
