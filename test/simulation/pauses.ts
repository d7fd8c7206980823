import { isRuntimeError } from '../../actors/errors.ts'
import type { Pause, PauseListener, Pauses, PauseScope } from '../../actors/ports.ts'
import { MemoryPauses } from '../../src/memory/pauses.ts'
import type { SimTransportContext } from './transport.ts'

const retryMs = 250

/** As with NATS, a watcher is told of all flags again whenever something may have been lost. */
export function simPauses({ checker, link, server }: SimTransportContext): Pauses {
  const { namespace } = server
  const pauses = new MemoryPauses(namespace)
  const scopes = new Set<PauseScope>()

  const tell = (listener: PauseListener, scope: PauseScope, pause: Pause | undefined) =>
    link.push('pauses', () => {
      if (pause === undefined) checker.letGo(link.process, scope)
      else checker.holds.paused(link.process.name, scope)
      listener.changed(scope, pause)
    })

  const open = (listener: PauseListener) =>
    link.request('pauses', 'watch what is paused', async () => {
      const stop = await pauses.watch({
        changed: (scope, pause) => {
          scopes.add(scope)
          tell(listener, scope, pause)
        },
        ended: error => listener.ended(error),
      })
      // Markers of what goes on are told too.
      for (const scope of scopes) {
        if (!namespace.pauses.has(scope)) tell(listener, scope, undefined)
      }
      return stop
    })

  const openAgain = async (listener: PauseListener): Promise<void> => {
    for (;;) {
      try {
        await open(listener)
        return
      } catch (error) {
        if (!isRuntimeError(error, 'STORE_UNAVAILABLE')) throw error
      }
      await link.process.sleep(retryMs)
    }
  }

  return {
    set: (scope, pause) =>
      link.request('pauses', `${pause === undefined ? 'let go on' : 'pause'} ${scope ?? 'all'}`, () =>
        pauses.set(scope, pause),
      ),
    get: scope => link.request('pauses', 'see what is paused', () => pauses.get(scope)),
    async watch(listener) {
      const stop = await open(listener)
      // It rejects only for what is wrong with the simulation itself, and that then ends the run.
      const stopReconnected = link.onReconnected(() => void openAgain(listener))
      return () => {
        stop()
        stopReconnected()
      }
    },
  }
}
