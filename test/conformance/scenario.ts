/** A machine together with everything that happens to it, to be played by any driver. */
import type { AnyStateMachine } from 'xstate'

import type { EventObject } from '../../actors/event.ts'
import type { Driver, View } from './driver.ts'

/**
 * Made anew for every driver, so that no two runs share a fake service. Nothing in it depends on real time.
 */
export interface Scenario {
  readonly machine: AnyStateMachine
  readonly input?: unknown
  readonly script: readonly Step[]
  /** What the machine must show at the end: a scenario that got stuck everywhere would agree with itself. */
  readonly ends: Partial<View>
  /** What its custom actions and services have done so far; compared regardless of order. */
  readonly performed?: readonly string[]
}

/** Something that happens to a machine. */
export type Step =
  | { readonly type: 'send'; readonly event: EventObject }
  | { readonly type: 'advance'; readonly ms: number }
  | { readonly type: 'settle' }
  /** Something outside the machine moves: a service answers, a device reports. */
  | { readonly type: 'outside'; readonly run: () => void }

/** The machine receives an event. */
export function send(type: string, fields: object = {}): Step {
  return { type: 'send', event: { ...fields, type } }
}

/** Time passes. */
export function advance(ms: number): Step {
  return { type: 'advance', ms }
}

/** What runs beside the machine gets on as far as it can. */
export const settle: Step = { type: 'settle' }

/** Something outside the machine moves, and what follows from it follows. */
export function outside(run: () => void): Step {
  return { type: 'outside', run }
}

/** Does one step of a script. Waits, and answers a promise, only for what runs beside the machine. */
export function play(step: Step, driver: Driver): Promise<void> | undefined {
  switch (step.type) {
    case 'send':
      driver.send(step.event)
      return undefined
    case 'advance':
      driver.advance(step.ms)
      return undefined
    case 'settle':
      return driver.settle()
    case 'outside':
      step.run()
      return driver.settle()
  }
}

/** An answer that a scenario gives when it likes. */
export interface Answer<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: Error): void
}

/** A promise and the means to settle it. */
export function answer<T>(): Answer<T> {
  let resolve!: (value: T) => void
  let reject!: (error: Error) => void
  const promise = new Promise<T>((onValue, onError) => {
    resolve = onValue
    reject = onError
  })
  return { promise, resolve, reject }
}
