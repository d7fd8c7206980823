/** XState's persisted snapshot: plain data, children nested inside. */
export interface PersistedSnapshot {
  readonly status: 'active' | 'done' | 'error' | 'stopped'
  readonly output?: unknown
  readonly error?: unknown
  readonly value?: unknown
  readonly context?: unknown
  readonly children?: Readonly<Record<string, PersistedChild>>
  readonly [key: string]: unknown
}

export interface PersistedChild {
  readonly snapshot: PersistedSnapshot
  readonly src: string
  readonly systemId?: string | undefined
  readonly syncSnapshot?: boolean | undefined
}
