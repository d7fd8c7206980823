/** Watches the timers of this process from now on. Answers what tells where those were set that are still to fire. */
export function watchTimers(): () => readonly string[] {
  const open = new Map<unknown, string>()
  for (const name of ['setTimeout', 'setInterval'] as const) {
    const set = globalThis[name] as (run: (...args: unknown[]) => void, ...rest: unknown[]) => NodeJS.Timeout
    const watched = (run: (...args: unknown[]) => void, ...rest: unknown[]) => {
      const timer: NodeJS.Timeout = set(
        (...args) => {
          if (name === 'setTimeout') open.delete(timer)
          run(...args)
        },
        ...rest,
      )
      open.set(timer, `${name} ${new Error('set here').stack}`)
      return timer
    }
    Object.assign(globalThis, { [name]: watched })
  }
  for (const name of ['clearTimeout', 'clearInterval'] as const) {
    const clear = globalThis[name]
    const watched = (timer: NodeJS.Timeout | undefined) => {
      open.delete(timer)
      clear(timer)
    }
    Object.assign(globalThis, { [name]: watched })
  }
  return () => [...open.values()]
}
