import type { ActorPath } from '../address.ts'
import type { EventObject } from '../event.ts'
import type { TreeEffect } from './tree-effect.ts'

/** Where a leaf stands in its tree, and what it tells. */
export interface LeafPlace {
  readonly path: ActorPath
  readonly effect: (effect: TreeEffect) => void
  /** Sends an event to its parent. */
  readonly tell: (event: EventObject) => void
}

const running = 1
const stopped = 2

/** A leaf in a tree says that it must run instead of running, and keeps its input in the activity's record alone. */
export function makeInert(leaf: any, { path, effect, tell }: LeafPlace): void {
  leaf.start = () => {
    if (leaf._processingStatus === running) return leaf
    leaf._processingStatus = running
    effect({ type: 'start', path, src: leaf.src, input: leaf.options.input })
    if (leaf._syncSnapshot) tell({ type: `xstate.snapshot.${leaf.id}`, snapshot: leaf._snapshot })
    return leaf
  }
  leaf._send = (event: EventObject) => effect({ type: 'deliver', path, event })
  leaf._stop = () => {
    effect({ type: 'stop', path })
    leaf._processingStatus = stopped
    return leaf
  }
  leaf.getPersistedSnapshot = () => {
    const { input: _, ...snapshot } = leaf.logic.getPersistedSnapshot(leaf._snapshot)
    return snapshot
  }
}
