import type { BeatListener, Beats } from '../../actors/ports.ts'
import type { Beat } from '../../actors/remote-activity.ts'
import { partitionOf } from '../workflow/address.ts'
import type { MemoryNamespace } from './namespace.ts'

/** Heartbeats of workers in memory. */
export class MemoryBeats implements Beats {
  readonly #namespace: MemoryNamespace

  constructor(namespace: MemoryNamespace) {
    this.#namespace = namespace
  }

  async listen(partition: number, listener: BeatListener): Promise<() => void> {
    const { beatListeners, partitions } = this.#namespace
    const heard = (beat: Beat) => {
      if (partitionOf(beat.instance, partitions) === partition) listener.beat(beat)
    }
    beatListeners.add(heard)
    return () => beatListeners.delete(heard)
  }
}
