import { connect, credsAuthenticator, NatsError } from 'nats'
import type {
  ConnectionOptions as LibraryOptions,
  NatsConnection as LibraryConnection,
  TlsOptions,
} from 'nats'
import { RuntimeError } from '../../actors/errors.ts'
import type { Clock } from '../../actors/ports.ts'

export interface ConnectNatsOptions {
  /** Times retries and repeated reads. */
  readonly clock: Clock
  /** Contents of a `.creds` file. */
  readonly credentials?: string | undefined
  /** Prefix of the subjects answers come on, for users who may only listen to their own. Default `_INBOX`. */
  readonly inboxPrefix?: string | undefined
  /** Shown in the server's list of connections. Default `holdfast`. */
  readonly name?: string | undefined
  readonly pass?: string | undefined
  /** How long one request may take, in milliseconds. Default 2000. */
  readonly requestTimeoutMs?: number | undefined
  /** One URL or several of one cluster. A user and password inside a URL are used. */
  readonly servers: string | readonly string[]
  /** How long the first connection may take, in milliseconds. Default 5000. */
  readonly timeoutMs?: number | undefined
  readonly tls?: TlsOptions | undefined
  readonly token?: string | undefined
  readonly user?: string | undefined
}

const defaults = Object.freeze({ name: 'holdfast', timeoutMs: 5_000 })

/**
 * Opens the library's connection, which then reconnects for ever.
 *
 * @throws RuntimeError `CONNECTION_FAILED`, `PERMISSION_DENIED`; both name the servers, never the credentials
 */
export async function dial(options: ConnectNatsOptions): Promise<LibraryConnection> {
  const servers = typeof options.servers === 'string' ? [options.servers] : options.servers
  try {
    return await connect(libraryOptions(options, servers))
  } catch (error) {
    const names = servers.map(withoutUser).join(', ')
    const fields = { servers: servers.map(withoutUser) }
    if (error instanceof NatsError && (error.isAuthError() || error.code === 'BAD_AUTHENTICATION')) {
      throw new RuntimeError(
        'PERMISSION_DENIED',
        `NATS at ${names} refused the credentials; check user, password, token or credentials`,
        { cause: error, fields },
      )
    }
    const reason = error instanceof NatsError ? error.code.toLowerCase() : String(error)
    throw new RuntimeError(
      'CONNECTION_FAILED',
      `cannot connect to NATS at ${names} (${reason}); check that a nats-server runs there and can be reached`,
      { cause: error, fields, retryable: true },
    )
  }
}

function libraryOptions(options: ConnectNatsOptions, servers: readonly string[]): LibraryOptions {
  const hasAuth = (options.user ?? options.token ?? options.credentials) !== undefined
  const { pass, token, user } = hasAuth ? options : authInUrls(servers)
  return {
    servers: servers.map(withoutUser),
    name: options.name ?? defaults.name,
    timeout: options.timeoutMs ?? defaults.timeoutMs,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 200,
    reconnectJitter: 50,
    reconnectJitterTLS: 50,
    // A password that is wrong for a while must not end a process that has work to do.
    ignoreAuthErrorAbort: true,
    // A peer that is gone without a word is noticed within half a minute.
    pingInterval: 10_000,
    // Stack traces for every request cost more than the requests.
    noAsyncTraces: true,
    ...(user !== undefined && { user }),
    ...(pass !== undefined && { pass }),
    ...(token !== undefined && { token }),
    ...(options.tls !== undefined && { tls: options.tls }),
    ...(options.inboxPrefix !== undefined && { inboxPrefix: options.inboxPrefix }),
    ...(options.credentials !== undefined && {
      authenticator: credsAuthenticator(new TextEncoder().encode(options.credentials)),
    }),
  }
}

const userPattern = /^((?:[a-z]+:\/\/)?)(.*)@/i

function withoutUser(server: string): string {
  return server.replace(userPattern, '$1')
}

/** NATS reads a lone name before the host as a token. */
function authInUrls(servers: readonly string[]): Pick<ConnectNatsOptions, 'pass' | 'token' | 'user'> {
  const found = servers.map(server => userPattern.exec(server)?.[2]).find(text => text !== undefined)
  if (found === undefined) return {}
  const colon = found.indexOf(':')
  if (colon < 0) return { token: decoded(found) }
  return { user: decoded(found.slice(0, colon)), pass: decoded(found.slice(colon + 1)) }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // A raw percent sign: the password was not written for URLs, so it is meant as it stands.
    return text
  }
}
