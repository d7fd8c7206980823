/**
 * A child process that cannot outlive us, whatever ends us, and that a Ctrl-C meant for us does not reach.
 *
 *   us ──spawn──► gate      a shell that waits for a word on its standard input, then becomes the program
 *    ├───spawn──► guardian  a shell that reads its standard input, which is a pipe only we hold
 *    └──"go"────► gate      only now the program starts
 *
 * When we die, even by kill -9, the kernel closes our ends of both pipes. The guardian then reads the end of its
 * input and ends the program: SIGTERM, after a second SIGKILL. A gate that was never told to go just exits, so
 * there is no moment in which the program runs unguarded. When we are only stopped (SIGSTOP) the pipes stay open
 * and nothing happens.
 *
 * - The guardian is killed: we start another one, for as long as the program runs.
 * - Guardian and we are killed in the same moment: the program stays. Nothing short of the kernel helps there.
 * - The program ends by itself: we end the guardian in the same turn of the event loop that learns it. Until then
 *   the program is a zombie of ours, so its pid cannot belong to anyone else when the guardian uses it.
 * - Both shells lead sessions of their own, so signals of our terminal and of our process group pass them by.
 *
 * Windows has neither shells nor exec: there the program starts at once, and a second Node is the guardian.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** How a process ended: by itself with a code, or by a signal. */
export interface ProcessExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** What to run under guard. */
export interface GuardOptions {
  readonly args: readonly string[]
  readonly command: string
  readonly cwd: string
  /** A folder to remove when we die first; the guardian does it. */
  readonly litter?: string | undefined
  /** Where its standard output and error go. */
  readonly logFd: number
}

/** A process under guard. */
export interface GuardedProcess {
  /** Resolves when it has ended and its guardian is gone. Never rejects. */
  readonly exited: Promise<ProcessExit>
  readonly guardianPid: () => number | undefined
  readonly kill: (signal: NodeJS.Signals) => void
  /** Lets it start. Before, the process exists and has its pid, but only waits. */
  readonly open: () => void
  readonly pid: number
}

const GATE = 'read -r word && exec "$@"'

const GUARDIAN = `
while read -r word; do :; done
kill -TERM "$1"
round=0
while [ "$round" -lt 20 ] && kill -0 "$1"; do
  round=$((round + 1))
  sleep 0.05 || sleep 1
done
kill -KILL "$1"
[ -z "$2" ] || rm -rf -- "$2"
`

const WINDOWS_GUARDIAN = `
process.stdin.resume().on('error', () => {}).on('close', () => {
  try { process.kill(Number(process.argv[1])) } catch {}
  if (process.argv[2]) {
    require('fs').rmSync(process.argv[2], { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  }
})
`

/** One that dies so often is being killed on purpose. */
const MAX_GUARDIANS = 10

/**
 * Starts a program under guard, waiting to be let go. Its environment is empty, except for what Windows needs.
 *
 * @throws Error when the operating system cannot start it
 */
export async function launch(options: GuardOptions): Promise<GuardedProcess> {
  const child = spawnGate(options)
  const ended = new Promise<ProcessExit>(resolve => {
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
  // Told to go to a program that is gone already; its exit says more than this error would.
  child.stdin?.on('error', () => undefined)
  await once(child, 'spawn')
  const pid = child.pid
  if (pid === undefined) throw new Error(`${options.command} has no process id`)
  const guardian = await startGuard(child, pid, options.litter ?? '', ended)
  const exited = ended.then(async exit => {
    await guardian.gone
    return exit
  })
  return {
    exited,
    guardianPid: guardian.pid,
    kill: signal => void child.kill(signal),
    open: () => void child.stdin?.end('go\n'),
    pid,
  }
}

function spawnGate(options: GuardOptions): ChildProcess {
  const common = { cwd: options.cwd, detached: true, windowsHide: true } as const
  if (process.platform === 'win32') {
    const stdio = ['ignore', options.logFd, options.logFd] as const
    return spawn(options.command, options.args, { ...common, env: windowsEnvironment(), stdio: [...stdio] })
  }
  const args = ['-c', GATE, 'holdfast-gate', options.command, ...options.args]
  return spawn('/bin/sh', args, { ...common, env: {}, stdio: ['pipe', options.logFd, options.logFd] })
}

interface Guard {
  /** Resolves when the guarded process has ended and its last guardian too. */
  readonly gone: Promise<void>
  readonly pid: () => number | undefined
}

/** Keeps one guardian alive until the process it guards has ended; without a first one that process ends now. */
async function startGuard(
  child: ChildProcess,
  pid: number,
  litter: string,
  ended: Promise<ProcessExit>,
): Promise<Guard> {
  let guardian: ChildProcess
  try {
    guardian = spawnGuardian(pid, litter)
    await once(guardian, 'spawn')
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
  let over = false
  // First in line for the exit, before anything else can take time: the pid is free from now on.
  const disarmed = ended.then(() => {
    over = true
    // From here on its end is something to wait for.
    guardian.ref()
    guardian.kill('SIGKILL')
  })
  const watch = async (): Promise<void> => {
    for (let used = 1; ; used += 1) {
      await gone(guardian)
      if (over || used === MAX_GUARDIANS) break
      guardian = spawnGuardian(pid, litter)
    }
    await disarmed
  }
  // Another guardian cannot be had when the machine is out of memory; the process then goes on without one.
  return { gone: watch().catch(() => disarmed), pid: () => guardian.pid }
}

function spawnGuardian(pid: number, litter: string): ChildProcess {
  const args = [String(pid), litter]
  const guardian =
    process.platform === 'win32'
      ? spawn(process.execPath, ['-e', WINDOWS_GUARDIAN, ...args], {
          detached: true,
          env: windowsEnvironment(),
          stdio: ['pipe', 'ignore', 'ignore'],
          windowsHide: true,
        })
      : spawn('/bin/sh', ['-c', GUARDIAN, 'holdfast-guardian', ...args], {
          cwd: '/',
          detached: true,
          // It calls sleep and rm, which need not lie in /bin everywhere.
          env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin' },
          stdio: ['pipe', 'ignore', 'ignore'],
        })
  // The guardian must not be what keeps our process running.
  guardian.unref()
  const input = guardian.stdin as (NodeJS.WritableStream & { unref?: () => void }) | null
  input?.on('error', () => undefined)
  input?.unref?.()
  return guardian
}

function gone(child: ChildProcess): Promise<void> {
  return new Promise(resolve => {
    child.once('exit', () => resolve())
    // It could not even be started.
    child.once('error', () => resolve())
  })
}

function windowsEnvironment(): Record<string, string> {
  const needed = ['SystemRoot', 'TEMP', 'TMP'].map(name => [name, process.env[name]] as const)
  return Object.fromEntries(needed.filter((entry): entry is [string, string] => entry[1] !== undefined))
}
