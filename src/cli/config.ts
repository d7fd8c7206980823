import { basename } from 'node:path'

/** What the environment says. Options on the command line come before it. */
export interface Config {
  /** HOLDFAST_CREDS: a file with the credentials of a user of NATS. */
  readonly creds: string | undefined
  /** HOLDFAST_NAMESPACE: the namespace to work in. */
  readonly namespace: string | undefined
  /** HOLDFAST_NATS_SERVER: path of the nats-server that `holdfast dev` runs. */
  readonly natsServer: string | undefined
  /** HOLDFAST_SERVER: URL of the NATS to work with. */
  readonly server: string | undefined
  /** FORCE_COLOR, NO_COLOR: colours whatever the output is, or never; undefined: on terminals. */
  readonly colors: boolean | undefined
  /** How the user calls this program, for texts that say what to type. */
  readonly program: string
}

/** Variables by name; a variable set to nothing counts as not set. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Reads the environment. Nothing else does.
 *
 * @param script the file that was run: `process.argv[1]`
 */
export function readConfig(environment: Environment, script: string | undefined): Config {
  const read = (name: string) => environment[name] || undefined
  return {
    creds: read('HOLDFAST_CREDS'),
    namespace: read('HOLDFAST_NAMESPACE'),
    natsServer: read('HOLDFAST_NATS_SERVER'),
    server: read('HOLDFAST_SERVER'),
    colors: readColors(read),
    program: programName(read, script),
  }
}

function readColors(read: (name: string) => string | undefined): boolean | undefined {
  // NO_COLOR wins: https://no-color.org has it so.
  if (read('NO_COLOR') !== undefined) return false
  const forced = read('FORCE_COLOR')
  return forced === undefined ? undefined : forced !== '0'
}

/** Installed for all it is on the PATH; from a project's own folder, npx finds it. */
function programName(read: (name: string) => string | undefined, script = ''): string {
  const isFromNpm = read('npm_lifecycle_event') !== undefined
  return basename(script) === 'holdfast' && !isFromNpm ? 'holdfast' : 'npx holdfast'
}
