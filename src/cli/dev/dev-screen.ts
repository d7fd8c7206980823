import type { RuntimeError } from '../../../actors/errors.ts'
import type { DevRow, DevView } from './dev-view.ts'

/** What shows people, or programs, what `holdfast dev` does. Calls come in this order. */
export interface DevScreen {
  /** Something takes long before anything runs. */
  preparing(message: string): void
  started(view: DevView): void
  /** An instance was committed; for each there is, once in the beginning. */
  changed(row: DevRow): void
  /** A message on the webhook subject could not be applied, and is kept among the dead letters. */
  refused(position: number, error: RuntimeError): void
  /** The user wants it to end. */
  stopping(): void
  stopped(): void
}
