const units = [
  { name: 'd', ms: 86_400_000 },
  { name: 'h', ms: 3_600_000 },
  { name: 'min', ms: 60_000 },
  { name: 's', ms: 1_000 },
] as const

/** A length of time in its largest unit, rounded down: `4 min`. Below a second: `0 s`. */
export function formatAge(ms: number): string {
  const unit = units.find(candidate => ms >= candidate.ms) ?? units.at(-1)!
  return `${Math.max(0, Math.floor(ms / unit.ms))} ${unit.name}`
}

/** When something is due, seen from now, in at most two units: `in 2 d 23 h`, `4 s overdue`, `now`. */
export function formatDue(dueAt: number, now: number): string {
  const ms = Math.abs(dueAt - now)
  if (ms < 1_000) return 'now'
  const at = units.findIndex(unit => ms >= unit.ms)
  const next = units[at + 1]
  const rest = next === undefined ? 0 : Math.floor((ms % units[at]!.ms) / next.ms)
  const length = formatAge(ms) + (rest === 0 ? '' : ` ${rest} ${next!.name}`)
  return dueAt > now ? `in ${length}` : `${length} overdue`
}

/** Time of day, by the clock of this machine: `14:03:07`. */
export function formatTime(date: Date): string {
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(twoDigits).join(':')
}

/** Date and time, by the clock of this machine: `2026-01-31 14:03:07`. */
export function formatDate(date: Date): string {
  const day = [date.getFullYear(), twoDigits(date.getMonth() + 1), twoDigits(date.getDate())].join('-')
  return `${day} ${formatTime(date)}`
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}
