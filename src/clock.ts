import type { Clock, TimerHandle } from '../actors/ports.ts'

/** Longest delay `setTimeout` takes; a longer one would fire at once. */
const longestMs = 2 ** 31 - 1

/** The time of this machine. Timers keep the process alive. */
export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(delayMs: number, callback: () => void): TimerHandle {
    const firesAt = performance.now() + delayMs
    let timeout: NodeJS.Timeout
    const arm = () => {
      const left = firesAt - performance.now()
      timeout = left > longestMs ? setTimeout(arm, longestMs) : setTimeout(callback, Math.max(0, left))
    }
    arm()
    return { cancel: () => clearTimeout(timeout) }
  },
})
