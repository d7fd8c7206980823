import { RuntimeError } from '../../../actors/errors.ts'
import { unknownOptions } from '../../workflow/unknown-options.ts'
import type { FindServerOptions } from './find.ts'
import { compareVersions, SYNC_INTERVAL_VERSION } from './version.ts'

/** How to run a nats-server of one's own, and where to find it. */
export interface StartServerOptions extends FindServerOptions {
  /** Lines added at the end of its configuration; they win over what Holdfast wrote above. Default none. */
  readonly extraConfig?: string | undefined
  /** Port of its HTTP monitoring on 127.0.0.1; -1: a free one. Default: no monitoring. */
  readonly monitoringPort?: number | undefined
  /** Port for clients on 127.0.0.1; -1: a free one. Default -1. */
  readonly port?: number | undefined
  /** Its name. Default: the server makes one up. */
  readonly serverName?: string | undefined
  /** How long it may take to be ready, milliseconds; a large store takes long to recover. Default 60,000. */
  readonly startTimeoutMs?: number | undefined
  /** How long a clean stop may take before it is killed, milliseconds. Default 10,000. */
  readonly stopTimeoutMs?: number | undefined
  /** Where it keeps its streams, configuration and log. Default: a temporary folder, removed at the end. */
  readonly storeDir?: string | undefined
  /** `always`, or how often to sync to disk as the server writes it: `500ms`, `2m`. Default `always`. */
  readonly syncInterval?: string | undefined
}

/** What is left to decide once the defaults are filled in. */
export interface ServerSettings {
  readonly extraConfig: string
  readonly monitoringPort: number | undefined
  readonly port: number
  readonly serverName: string | undefined
  readonly startTimeoutMs: number
  readonly stopTimeoutMs: number
  readonly storeDir: string | undefined
  readonly syncInterval: string
}

const optionNames: readonly string[] = [
  'cacheDir',
  'extraConfig',
  'monitoringPort',
  'networkTimeoutMs',
  'onProgress',
  'path',
  'port',
  'provide',
  'releaseUrl',
  'searchPath',
  'serverName',
  'startTimeoutMs',
  'stopTimeoutMs',
  'storeDir',
  'syncInterval',
] satisfies (keyof StartServerOptions)[]

const defaults = Object.freeze({
  extraConfig: '',
  port: -1,
  startTimeoutMs: 60_000,
  stopTimeoutMs: 10_000,
  // The only setting under which a single server loses nothing acknowledged when the power goes.
  syncInterval: 'always',
})

/**
 * Fills in the defaults.
 *
 * @throws RuntimeError `OPTIONS_INVALID` naming everything that is wrong
 */
export function resolveOptions(options: StartServerOptions): ServerSettings {
  const settings: ServerSettings = {
    extraConfig: options.extraConfig ?? defaults.extraConfig,
    monitoringPort: options.monitoringPort,
    port: options.port ?? defaults.port,
    serverName: options.serverName,
    startTimeoutMs: options.startTimeoutMs ?? defaults.startTimeoutMs,
    stopTimeoutMs: options.stopTimeoutMs ?? defaults.stopTimeoutMs,
    storeDir: options.storeDir,
    syncInterval: options.syncInterval ?? defaults.syncInterval,
  }
  const problems = [
    unknownOptions(options, optionNames),
    isPort(settings.port) ? [] : [`port must be -1 or 1 to 65535, not ${settings.port}`],
    settings.monitoringPort === undefined || isPort(settings.monitoringPort)
      ? []
      : [`monitoringPort must be -1 or 1 to 65535, not ${settings.monitoringPort}`],
    settings.serverName === undefined || /^[^\s\p{Cc}]{1,256}$/u.test(settings.serverName)
      ? []
      : ['serverName must be 1 to 256 characters without spaces'],
    isTimeout(settings.startTimeoutMs) ? [] : [`startTimeoutMs must be 1 to ${MAX_TIMEOUT_MS}`],
    isTimeout(settings.stopTimeoutMs) ? [] : [`stopTimeoutMs must be 1 to ${MAX_TIMEOUT_MS}`],
    settings.storeDir === '' ? ['storeDir must not be empty'] : [],
    /^(always|\d+(\.\d+)?(ms|s|m|h))$/.test(settings.syncInterval)
      ? []
      : [`syncInterval must be 'always' or a length like '500ms', '2m', not '${settings.syncInterval}'`],
  ].flat()
  if (problems.length > 0) {
    throw new RuntimeError('OPTIONS_INVALID', `Cannot start a server: ${problems.join('; ')}`, {
      fields: { problems },
    })
  }
  return settings
}

/** The sync interval a server of this version will follow; undefined when it is too old to be told. */
export function effectiveSyncInterval(settings: ServerSettings, version: string): string | undefined {
  return compareVersions(version, SYNC_INTERVAL_VERSION) < 0 ? undefined : settings.syncInterval
}

/** The server's configuration file. */
export function configText(settings: ServerSettings, storeDir: string, syncInterval?: string): string {
  const lines = [
    '# Written by Holdfast at every start: changes made here are lost.',
    `listen: ${quote(`127.0.0.1:${settings.port}`)}`,
    ...(settings.serverName === undefined ? [] : [`server_name: ${quote(settings.serverName)}`]),
    ...(settings.monitoringPort === undefined
      ? []
      : [`http: ${quote(`127.0.0.1:${settings.monitoringPort}`)}`]),
    // The server picks the port and writes it there: nobody else can take it in between.
    `ports_file_dir: ${quote(storeDir)}`,
    'jetstream {',
    `  store_dir: ${quote(storeDir)}`,
    ...(syncInterval === undefined ? [] : [`  sync_interval: ${syncInterval}`]),
    '}',
    settings.extraConfig,
  ]
  return `${lines.join('\n')}\n`
}

const MAX_TIMEOUT_MS = 2 ** 31 - 1

function isPort(value: number): boolean {
  return Number.isInteger(value) && (value === -1 || (value >= 1 && value <= 65_535))
}

function isTimeout(value: number): boolean {
  return Number.isFinite(value) && value >= 1 && value <= MAX_TIMEOUT_MS
}

/** A quoted string of the server's configuration language, which knows JSON's escapes for `"` and `\`. */
function quote(text: string): string {
  return JSON.stringify(text)
}
