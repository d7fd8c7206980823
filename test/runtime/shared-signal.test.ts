import { getEventListeners } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'

import { startNode } from '../support/node.ts'
import { tally } from '../support/workflows.ts'

const many = Array.from({ length: 12 }, (_, n) => `t-${n}`)

/** What Node says of leaks from here on. */
function leakWarnings(): string[] {
  const warnings: string[] = []
  const onWarning = ({ name, message }: Error) => {
    if (name === 'MaxListenersExceededWarning') warnings.push(message)
  }
  process.on('warning', onWarning)
  onTestFinished(() => void process.off('warning', onWarning))
  return warnings
}

describe('one signal for many calls at a time', () => {
  it('is no leak to Node, and nobody listens to it afterwards', async () => {
    const { client } = await startNode({ workflows: [tally] })
    const warnings = leakWarnings()
    const { signal } = new AbortController()
    const perInstance = async (id: string) => {
      const handle = await client.start(tally, { id, input: { from: 0 }, until: 'accepted', signal })
      const watched = handle.watch({ signal })
      await Promise.all([
        watched.next(),
        handle.waitFor(({ context }) => context.count === 2, { signal }),
        handle.update({ type: 'ADD', n: 2 }, { signal }),
      ])
      await watched.return?.()
    }

    await Promise.all(many.map(perInstance))
    const results = many.map(id => client.instance(tally, id).result({ signal, timeout: '1ms' }))
    await Promise.allSettled(results)
    await new Promise(setImmediate)

    expect(warnings).toEqual([])
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('ends all of them when it aborts', async () => {
    const { client } = await startNode({ workflows: [tally] })
    const enough = new AbortController()
    const results = many.map(id => client.instance(tally, id).result({ signal: enough.signal }))

    enough.abort(new Error('enough'))

    const outcomes = await Promise.allSettled(results)
    expect(outcomes.map(outcome => outcome.status === 'rejected' && String(outcome.reason))).toEqual(
      many.map(() => 'Error: enough'),
    )
  })
})
