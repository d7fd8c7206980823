/**
 * What becomes of an activity that was running when its process ended. In the words of OTP, where the default is one
 * restart in 5 s: there a child restarts because it has failed. Here it restarts because the process under it has gone,
 * with everything else that ran there, mostly not by its fault; so a good deal more is allowed before it is blamed.
 */
export type RestartPolicy =
  /** OTP `transient`: it runs again, that often within that time. */
  | { readonly intensity: number; readonly periodMs: number }
  /** OTP `temporary`: it does not run again. */
  | 'temporary'

/**
 * The restarts within the period, this one included; undefined when they are too many. Infinitely many need no counting.
 *
 * @param restarts when it was restarted before, milliseconds since the epoch
 */
export function countRestart(
  { intensity, periodMs }: Exclude<RestartPolicy, string>,
  restarts: readonly number[],
  now: number,
): readonly number[] | undefined {
  if (intensity === Number.POSITIVE_INFINITY) return restarts
  // A clock that has jumped back leaves moments that are still to come: they would stay for ever.
  const counted = restarts.filter(at => at > now - periodMs && at <= now)
  counted.push(now)
  return counted.length > intensity ? undefined : counted
}
