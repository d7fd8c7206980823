import { describe, expect, it } from 'vitest'
import type { Hint, Hints } from '../../actors/ports.ts'
import { awkwardIds } from './samples.ts'
import { until } from './until.ts'

/** The hints of one namespace, each over a connection of its own. */
export interface HintsFixture {
  readonly hintsOf: () => Promise<Hints>
}

const hintFor = (id: string, isForced = false): Hint => ({ target: { workflow: 'order', id }, isForced })

/** What all Hints must do. `makeFixture` answers a namespace that nobody else uses. */
export function describeHints(name: string, makeFixture: () => Promise<HintsFixture>): void {
  describe(`Hints: ${name}`, () => {
    it('tells every listener, the sender among them, whom and with how much force', async () => {
      const { hintsOf } = await makeFixture()
      const [a, b] = [await hintsOf(), await hintsOf()]
      const [atA, atB]: [Hint[], Hint[]] = [[], []]
      await a.listen(hint => atA.push(hint))
      await b.listen(hint => atB.push(hint))

      const sent = [...awkwardIds.map(id => hintFor(id)), hintFor('last', true)]
      for (const hint of sent) a.send(hint)
      await until(() => atA.length >= sent.length && atB.length >= sent.length)

      expect(atA).toEqual(sent)
      expect(atB).toEqual(sent)
    })

    it('goes nowhere when nobody listens, and keeps nothing for later', async () => {
      const { hintsOf } = await makeFixture()
      const [a, b] = [await hintsOf(), await hintsOf()]
      const heard: Hint[] = []

      b.send(hintFor('early'))
      await b.listen(() => {})
      await a.listen(hint => heard.push(hint))
      b.send(hintFor('late'))
      await until(() => heard.length > 0)

      expect(heard.at(-1)).toEqual(hintFor('late'))
    })

    it('tells nothing more once told to stop, and goes on telling others', async () => {
      const { hintsOf } = await makeFixture()
      const hints = await hintsOf()
      const [stopped, other]: [Hint[], Hint[]] = [[], []]
      const stop = await hints.listen(hint => stopped.push(hint))
      await hints.listen(hint => other.push(hint))

      hints.send(hintFor('one'))
      stop()
      await until(() => other.length > 0)

      expect(stopped).toEqual([])
    })
  })
}
