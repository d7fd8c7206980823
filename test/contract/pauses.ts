import { describe, expect, it, onTestFinished } from 'vitest'
import type { Pause, PauseListener, Pauses, PauseScope } from '../../actors/ports.ts'
import { until } from './until.ts'

/** What a watcher has been told last of each scope, and how often it was told anything. */
class HeardPauses implements PauseListener {
  readonly pauses = new Map<PauseScope, Pause>()
  readonly told: (readonly [PauseScope, Pause | undefined])[] = []

  changed(scope: PauseScope, pause: Pause | undefined): void {
    this.told.push([scope, pause])
    if (pause === undefined) this.pauses.delete(scope)
    else this.pauses.set(scope, pause)
  }
  ended(): void {
    expect.unreachable('it is watched to the end')
  }
}

/** What all Pauses must do. `makePauses` answers two views of the same pauses, of which there are none. */
export function describePauses(name: string, makePauses: () => Promise<readonly [Pauses, Pauses]>): void {
  describe(`Pauses: ${name}`, () => {
    const pause = { at: 1_700_000_000_000, reason: 'the bank is closed, Ł' }

    async function watched(pauses: Pauses): Promise<HeardPauses> {
      const heard = new HeardPauses()
      onTestFinished(await pauses.watch(heard))
      return heard
    }

    it('are seen by everyone, each by its own scope', async () => {
      const [pauses, others] = await makePauses()

      await pauses.set('order', pause)
      await pauses.set(undefined, { at: 7 })

      expect(await others.get('order')).toEqual(pause)
      expect(await others.get(undefined)).toEqual({ at: 7 })
      expect(await others.get('invoice')).toBeUndefined()
    })

    it('are replaced by what is said last, and end', async () => {
      const [pauses, others] = await makePauses()
      await pauses.set('order', pause)

      await others.set('order', { at: 8 })
      const replaced = await pauses.get('order')
      await others.set('order', undefined)
      await others.set('order', undefined)

      expect(replaced).toEqual({ at: 8 })
      expect(await pauses.get('order')).toBeUndefined()
    })

    it('are all told before a watch has begun', async () => {
      const [pauses, others] = await makePauses()
      const names = Array.from({ length: 150 }, (_, n) => `w${n}`)
      await Promise.all(names.map(workflow => pauses.set(workflow, pause)))
      await pauses.set(undefined, { at: 7 })
      await pauses.set('w3', undefined)

      const heard = await watched(others)

      expect(heard.pauses.size).toBe(150)
      expect(heard.pauses.get(undefined)).toEqual({ at: 7 })
      expect(heard.pauses.get('w149')).toEqual(pause)
    })

    it('are told to a watcher as they begin and end', async () => {
      const [pauses, others] = await makePauses()
      const heard = await watched(others)
      expect(heard.told).toEqual([])

      await pauses.set('order', pause)
      await until(() => heard.pauses.has('order'))
      await pauses.set(undefined, { at: 7 })
      await pauses.set('order', undefined)
      await until(() => heard.told.length >= 3)

      expect(heard.told).toEqual([
        ['order', pause],
        [undefined, { at: 7 }],
        ['order', undefined],
      ])
    })

    it('are not told to a watcher who has stopped', async () => {
      const [pauses, others] = await makePauses()
      const stopped = new HeardPauses()
      const heard = await watched(others)
      const stop = await others.watch(stopped)

      stop()
      await pauses.set('order', pause)
      await until(() => heard.pauses.has('order'))

      expect(stopped.told).toEqual([])
    })

    it('are not asked for on abort', async () => {
      const [pauses] = await makePauses()
      const reason = new Error('enough')

      await expect(pauses.get('order', AbortSignal.abort(reason))).rejects.toBe(reason)
    })
  })
}
