import { describe, expect, it } from 'vitest'
import type { EventSink } from '../../actors/ports.ts'
import type { EventObject } from '../../actors/event.ts'

export interface EventSinkFixture {
  readonly sink: EventSink
  /** The events stored, in order. */
  readonly emitted: () => Promise<readonly EventObject[]>
}

const address = { workflow: 'order', id: 'o.1 ż' }

/** What every EventSink must do. `makeFixture` answers one that holds nothing. */
export function describeEventSink(name: string, makeFixture: () => Promise<EventSinkFixture>): void {
  describe(`EventSink: ${name}`, () => {
    it('keeps events exactly as they were emitted, in order', async () => {
      const { emitted, sink } = await makeFixture()
      const events = [
        { type: 'ORDER\nSHIPPED', at: new Date(7), big: 2n ** 70n },
        { type: 'PAID', by: 'ż🧾' },
      ]

      await sink.emit(address, 'order/o.1 ż#4', events[0]!)
      await sink.emit(address, 'order/o.1 ż#5', events[1]!)

      expect(await emitted()).toEqual(events)
    })

    it('keeps an effect of an instance once, however often it is emitted', async () => {
      const { emitted, sink } = await makeFixture()

      await sink.emit(address, 'e-1', { type: 'A' })
      await sink.emit(address, 'e-1', { type: 'A' })
      await sink.emit(address, 'e-2', { type: 'B' })
      await sink.emit({ workflow: 'order', id: 'o-2' }, 'e-1', { type: 'C' })

      expect((await emitted()).map(event => event.type)).toEqual(['A', 'B', 'C'])
    })
  })
}
