import type { EventObject } from '../../actors/event.ts'
import { usage } from './arguments.ts'

/**
 * Reads JSON that was typed, or came from a file.
 *
 * @param where for the error: `--input`
 * @throws RuntimeError `USAGE` saying what is wrong with it
 */
export function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const shown = text.length > 60 ? `${text.slice(0, 60)}…` : text
    throw usage(`${where} is not JSON: ${(error as Error).message}; got '${shown}'`)
  }
}

/**
 * The event that `send` and `update` were asked for: a type, with what `--data` has besides, or all of it as JSON.
 *
 * @throws RuntimeError `USAGE`
 */
export function parseEvent(text: string, data: string | undefined): EventObject {
  const event = /^\s*[{["]/.test(text) ? parseJson(text, 'the event') : { type: text }
  const { type } = (event ?? {}) as { type?: unknown }
  if (typeof type !== 'string' || type === '') throw usage(`the event needs a type: '{"type":"PAID"}'`)
  if (data === undefined) return event as EventObject
  const fields = parseJson(data, '--data')
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    throw usage(`--data must be a JSON object; got '${data}'`)
  }
  if ('type' in fields) throw usage(`--data must not contain 'type': it is given as the event`)
  return { ...(event as EventObject), ...fields }
}
