import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, open, readdir, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { RuntimeError } from '../../actors/errors.ts'
import { claimHolder, claimStore, releaseStore } from './server/claim.ts'
import {
  configText,
  effectiveSyncInterval,
  resolveOptions,
  type ServerSettings,
  type StartServerOptions,
} from './server/config.ts'
import { findServer, type FoundServer } from './server/find.ts'
import { launch, type GuardedProcess, type ProcessExit } from './server/guardian.ts'
import { untilReady } from './server/readiness.ts'
import { deadlineIn, reasonOf, within } from './server/run.ts'

export type { StartServerOptions } from './server/config.ts'
export { findServer, type FailedSearch } from './server/find.ts'
export type { ProcessExit } from './server/guardian.ts'
export { PROVIDED_VERSION } from './server/version.ts'

/** A nats-server of our own: our child, on this machine only, gone when we are gone. */
export interface NatsServer extends AsyncDisposable {
  /** The program it runs. */
  readonly binaryPath: string
  /** Resolves when it has ended, for whatever reason. Never rejects. */
  readonly exited: Promise<ProcessExit>
  /** Sends it a signal and waits for nothing: SIGKILL for a crash, SIGSTOP for a pause. */
  readonly kill: (signal: NodeJS.Signals) => void
  /** Everything it wrote. Stays with a `storeDir` of yours, goes with a temporary one. */
  readonly logFile: string
  /** Undefined unless asked for. */
  readonly monitoringUrl: string | undefined
  readonly pid: number
  readonly port: number
  /** The version the running server reports. */
  readonly serverVersion: string
  /**
   * Ends it cleanly, by force once `stopTimeoutMs` are over, and removes a temporary store. Resolves when it is
   * gone. May be called again, and when it has ended already.
   */
  readonly stop: () => Promise<void>
  readonly storeDir: string
  /** How it syncs to disk; undefined when it is too old to be told (before 2.10) and does as it likes. */
  readonly syncInterval: string | undefined
  readonly url: string
}

/**
 * Finds a nats-server, starts it with JetStream on 127.0.0.1, and resolves once it takes connections and JetStream
 * answers. It ends when this process ends, in whatever way, but a SIGINT of the terminal does not reach it: its
 * end is ours to order. A store that another server has not left yet is waited for.
 *
 * Aborting while it starts ends it and rejects with the signal's reason; afterwards the signal means nothing.
 *
 * @throws RuntimeError `SERVER_NOT_FOUND`, `SERVER_UNSUPPORTED` as {@link findServer}; `OPTIONS_INVALID`;
 * `SERVER_START_FAILED` when it ends early, is not ready in time, or its store stays in use, with the last lines
 * of its log in `fields.log`
 */
export async function startServer(
  options: StartServerOptions = {},
  signal?: AbortSignal,
): Promise<NatsServer> {
  const settings = resolveOptions(options)
  const binary = await findServer(options, signal)
  const start = await prepare(settings, binary, options.onProgress)
  try {
    return await run(start, signal)
  } catch (error) {
    await cleanUp(start)
    throw error
  }
}

/** A start under way: the folder is there, nothing runs yet. */
interface Start {
  readonly binary: FoundServer
  readonly configFile: string
  readonly logFile: string
  /** Where in the log file this run begins. */
  readonly logStart: number
  readonly settings: ServerSettings
  readonly storeDir: string
  readonly syncInterval: string | undefined
  readonly temporary: boolean
}

async function prepare(
  settings: ServerSettings,
  binary: FoundServer,
  onProgress: StartServerOptions['onProgress'],
): Promise<Start> {
  const syncInterval = effectiveSyncInterval(settings, binary.version)
  if (syncInterval === undefined) {
    onProgress?.(
      `nats-server ${binary.version} cannot be told to sync every write (2.10 can): ` +
        'what it acknowledged in the last minutes is lost if the power goes',
    )
  }
  const temporary = settings.storeDir === undefined
  const given = settings.storeDir ?? (await mkdtemp(join(tmpdir(), 'holdfast-nats-')))
  await mkdir(given, { recursive: true })
  // One name for one folder, however it was reached: the claim compares names.
  const storeDir = await realpath(given)
  const logFile = join(storeDir, 'nats-server.log')
  const logStart = await stat(logFile).then(
    ({ size }) => size,
    () => 0,
  )
  const configFile = join(storeDir, 'nats-server.conf')
  return { binary, configFile, logFile, logStart, settings, storeDir, syncInterval, temporary }
}

async function run(start: Start, signal: AbortSignal | undefined): Promise<NatsServer> {
  const { configFile, settings, storeDir } = start
  const child = await launchInto(start)
  const deadline = deadlineIn(settings.startTimeoutMs)
  const ended = new AbortController()
  const exited = child.exited.then(async exit => {
    ended.abort()
    await releaseStore(storeDir, child.pid)
    return exit
  })
  const giveUp = AbortSignal.any([deadline, ended.signal, ...(signal === undefined ? [] : [signal])])
  try {
    await claimStore(storeDir, child.pid, configFile, giveUp)
    await writeFile(configFile, configText(settings, storeDir, start.syncInterval))
    await removeOldPorts(storeDir)
    child.open()
    const facts = await untilReady(storeDir, child.pid, giveUp)
    return running(start, child, exited, facts)
  } catch (error) {
    const holder = await claimHolder(storeDir)
    const endedByItself = ended.signal.aborted
    child.kill('SIGKILL')
    const exit = await exited
    signal?.throwIfAborted()
    if (endedByItself)
      throw startFailed(start, `it ended with ${exit.signal ?? `code ${exit.code}`}`, { exit })
    if (!deadline.aborted) throw startFailed(start, reasonOf(error), { cause: error })
    const blocked = holder !== undefined && holder !== child.pid
    const what = blocked ? `process ${holder} uses its store and did not end` : 'it was not ready'
    throw startFailed(start, `${what} for ${settings.startTimeoutMs} ms`)
  }
}

/** The process, still waiting to be let go, with the log file as its output. */
async function launchInto(start: Start): Promise<GuardedProcess> {
  const log = await open(start.logFile, 'a')
  try {
    return await launch({
      args: ['-c', start.configFile],
      command: start.binary.path,
      cwd: start.storeDir,
      litter: start.temporary ? start.storeDir : undefined,
      logFd: log.fd,
    })
  } catch (error) {
    throw startFailed(start, reasonOf(error), { cause: error })
  } finally {
    await log.close()
  }
}

function running(
  start: Start,
  child: GuardedProcess,
  exited: Promise<ProcessExit>,
  facts: Awaited<ReturnType<typeof untilReady>>,
): NatsServer {
  let stopping: Promise<void> | undefined
  const stop = (): Promise<void> => (stopping ??= end(start, child, exited))
  return {
    binaryPath: start.binary.path,
    exited,
    kill: child.kill,
    logFile: start.logFile,
    monitoringUrl: facts.monitoringUrl,
    pid: child.pid,
    port: facts.port,
    serverVersion: facts.version,
    stop,
    storeDir: start.storeDir,
    syncInterval: start.syncInterval,
    url: `nats://127.0.0.1:${facts.port}`,
    [Symbol.asyncDispose]: stop,
  }
}

async function end(start: Start, child: GuardedProcess, exited: Promise<ProcessExit>): Promise<void> {
  child.kill('SIGTERM')
  await within(exited, start.settings.stopTimeoutMs, 'still there').catch(() => child.kill('SIGKILL'))
  await exited
  await cleanUp(start)
}

async function cleanUp(start: Start): Promise<void> {
  if (start.temporary) await rm(start.storeDir, { force: true, maxRetries: 5, recursive: true })
}

/** A crash leaves the file with the ports, and the next server may get the same pid. */
async function removeOldPorts(storeDir: string): Promise<void> {
  const old = (await readdir(storeDir)).filter(name => name.endsWith('.ports'))
  await Promise.all(old.map(name => rm(join(storeDir, name), { force: true })))
}

function startFailed(
  start: Start,
  reason: string,
  { cause, exit }: { readonly cause?: unknown; readonly exit?: ProcessExit } = {},
): RuntimeError {
  const { path, version } = start.binary
  const log = lastLines(start)
  // What it says besides of itself is in the fields.
  const errors = log.filter(line => /\[(ERR|FTL)\]/.test(line))
  const told = errors.length > 0 ? errors : log
  const lines = [
    `nats-server ${version} (${path}) did not start: ${reason}`,
    ...told.map(line => `  ${line}`),
  ]
  if (told.some(line => line.includes('address already in use'))) {
    lines.push(`  port ${start.settings.port} is taken: choose another, or none, and it takes a free one`)
  }
  return new RuntimeError('SERVER_START_FAILED', lines.join('\n'), {
    ...(cause === undefined ? {} : { cause }),
    fields: {
      exitCode: exit?.code,
      log,
      path,
      reason,
      signal: exit?.signal,
      storeDir: start.storeDir,
      version,
    },
  })
}

/** What the server wrote in this run, the end of it. */
function lastLines(start: Start): string[] {
  if (!existsSync(start.logFile)) return []
  const content = readFileSync(start.logFile).subarray(start.logStart).toString('utf8')
  return content
    .split('\n')
    .filter(line => line.trim() !== '')
    .slice(-20)
}
