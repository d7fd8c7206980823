import { destination, pino, type Level, type Logger } from 'pino'

export type Log = Logger

/**
 * Where a process logs: a pino logger of yours, or a level for one of ours, which writes JSON lines to standard
 * error.
 */
export type LogOption = Logger | Level | 'silent'

const levels: readonly unknown[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

export const logOptionForm = `a pino logger or ${levels.join(', ')}`

export function isLogOption(option: unknown): option is LogOption {
  if (typeof option === 'string') return levels.includes(option)
  return typeof (option as Partial<Logger> | null)?.child === 'function'
}

/** The root logger. */
export function rootLog(option: LogOption): Log {
  if (typeof option !== 'string') return option
  return pino({ name: 'holdfast', level: option }, destination({ dest: 2, sync: true }))
}
