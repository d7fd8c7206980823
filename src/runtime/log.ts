import { destination, pino, type Level, type Logger } from 'pino'

export type Log = Logger

/**
 * Where a process logs: a pino logger of yours, or a level for one of ours, which writes JSON lines to standard
 * error.
 */
export type LogOption = Logger | Level | 'silent'

/** The root logger. */
export function rootLog(option: LogOption): Log {
  if (typeof option !== 'string') return option
  return pino({ name: 'holdfast', level: option }, destination({ dest: 2, sync: true }))
}
