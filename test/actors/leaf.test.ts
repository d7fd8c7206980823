import { describe, expect, it } from 'vitest'
import { fromCallback, fromObservable, fromPromise, type AnyActorLogic } from 'xstate'

import { runLeaf, type RunningLeaf } from '../../actors/xstate/leaf.ts'
import { macrotask } from '../conformance/driver.ts'
import { Subject } from '../conformance/features/subject.ts'

/** Runs a leaf and notes whatever it tells. */
function run(logic: AnyActorLogic, input?: unknown): { leaf: RunningLeaf; told: unknown[] } {
  const told: unknown[] = []
  const leaf = runLeaf(
    logic,
    { id: 'leaf', input },
    {
      settled: outcome => told.push(outcome),
      event: event => told.push(event),
      moved: context => told.push({ moved: context }),
    },
  )
  return { leaf, told }
}

describe('a running leaf', () => {
  it('tells its outcome', async () => {
    const done = run(fromPromise(async ({ input }) => `for ${String(input)}`) as AnyActorLogic, 'you')
    const failed = run(fromPromise(() => Promise.reject(new Error('no'))))
    await macrotask()

    expect(done.told).toEqual([{ status: 'done', output: 'for you' }])
    expect(failed.told).toEqual([{ status: 'error', error: new Error('no') }])
  })

  it('tells nothing after its outcome, even if it goes on', () => {
    let sendBack = (_event: { type: string }): void => {}
    const broken = fromCallback(given => {
      sendBack = given.sendBack
      sendBack({ type: 'EARLY' })
      throw new Error('broken')
    })

    const { told } = run(broken)
    sendBack({ type: 'LATE' })

    expect(told).toEqual([{ type: 'EARLY' }, { status: 'error', error: new Error('broken') }])
  })

  it('tells each value of an observable once, and the end of it as no value', () => {
    const values = new Subject<number>()
    const { told } = run(fromObservable(() => values))

    for (const value of [1, 1, 2]) values.next(value)
    values.complete()

    expect(told).toEqual([{ moved: 1 }, { moved: 2 }, { status: 'done', output: undefined }])
  })

  it('tells how it ends, not what it looks like then', () => {
    const { leaf, told } = run(stubborn(() => {}))

    leaf.deliver({ type: 'FINISH' })

    expect(told).toEqual([{ status: 'done', output: 'finished' }])
  })

  it('tells nothing once it is stopped, whatever it still does', () => {
    let tell = (): void => {}
    const { leaf, told } = run(stubborn(given => (tell = given)))

    leaf.stop()
    tell()

    expect(told).toEqual([])
  })
})

/** Work that goes on telling, however it ends. */
function stubborn(started: (tell: () => void) => void): AnyActorLogic {
  return {
    getInitialSnapshot: () => ({ status: 'active', context: undefined }),
    getPersistedSnapshot: (snapshot: unknown) => snapshot,
    start: (
      _: unknown,
      { self, system }: { self: { _parent: unknown }; system: { _relay: (...given: unknown[]) => void } },
    ) => {
      started(() => system._relay(self, self._parent, { type: 'LATE' }))
    },
    transition: (snapshot: object, { type }: { type: string }) =>
      type === 'FINISH' ? { ...snapshot, status: 'done', output: 'finished', context: 'last' } : snapshot,
  } as unknown as AnyActorLogic
}
