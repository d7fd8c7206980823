import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** How to run a program to its end. */
export interface RunOptions {
  /** Working folder. Default: ours. */
  readonly cwd?: string
  /** All of its environment. Default: ours, with messages in English. */
  readonly environment?: Readonly<Record<string, string>>
  /** It is killed after so long. */
  readonly timeoutMs: number
}

/**
 * Runs a program to its end and answers what it wrote to its standard output.
 *
 * @throws Error when it cannot be run, fails, or takes too long; the message says which and quotes what it wrote
 */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions,
  signal?: AbortSignal,
): Promise<string> {
  try {
    const { stdout } = await execute(command, args, {
      cwd: options.cwd,
      encoding: 'utf8',
      env: options.environment ?? { ...process.env, LC_ALL: 'C' },
      killSignal: 'SIGKILL',
      maxBuffer: 16 * 1024 * 1024,
      signal,
      timeout: options.timeoutMs,
      windowsHide: true,
    })
    return stdout
  } catch (error) {
    signal?.throwIfAborted()
    throw new Error(describe(command, error, options.timeoutMs), { cause: error })
  }
}

/**
 * Waits for a promise, but not for ever. Nothing is cancelled: the caller ends what it waited for.
 *
 * @throws Error saying `what` when the time is over first
 */
export async function within<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  const deadline = AbortSignal.timeout(timeoutMs)
  const { promise: expired, stop } = expiry(deadline, what)
  try {
    return await Promise.race([promise, expired])
  } finally {
    stop()
  }
}

/**
 * A signal that aborts after so long, to be combined with others. `AbortSignal.any` holds what it combines weakly: in
 * Node 20 an `AbortSignal.timeout` that nobody listens to is collected before its time, and then never aborts.
 */
export function deadlineIn(timeoutMs: number): AbortSignal {
  const deadline = AbortSignal.timeout(timeoutMs)
  deadline.addEventListener('abort', () => {})
  return deadline
}

/** What went wrong, in one line, down to the cause that `fetch` and others wrap. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? error.cause : undefined
  if (error.message !== 'fetch failed' || cause === undefined) return error.message
  // Several addresses refused at once come as an aggregate whose own message is empty.
  return cause.message || String((cause as NodeJS.ErrnoException).code)
}

function expiry(deadline: AbortSignal, what: string): { promise: Promise<never>; stop: () => void } {
  let onAbort = (): void => undefined
  const promise = new Promise<never>((_, reject) => {
    onAbort = () => reject(new Error(what))
    deadline.addEventListener('abort', onAbort)
  })
  return { promise, stop: () => deadline.removeEventListener('abort', onAbort) }
}

function describe(command: string, error: unknown, timeoutMs: number): string {
  const { code, killed, stderr } = error as { code?: unknown; killed?: boolean; stderr?: string }
  if (code === 'ENOENT') return `${command} is not installed`
  if (killed === true) return `${command} took longer than ${timeoutMs} ms`
  const words = stderr?.trim().split('\n').slice(-3).join(' ') ?? ''
  return words === '' ? `${command} failed: ${(error as Error).message}` : `${command} failed: ${words}`
}
