import { readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'

import { provideFromDebian, type DebianOptions } from '../../src/nats/server/debian.ts'
import { scratchDir, writeScript } from '../support/processes.ts'

interface Machine {
  readonly options: DebianOptions & { readonly cacheDir: string }
  /** The lines of sources.list that were asked for, in order. */
  readonly asked: () => Promise<string[]>
}

/**
 * A machine with an archive of its own: the two tools are played by scripts, everything else is real. `suites`
 * says what the package of a suite does when it is run; a suite that is not named does not exist.
 */
async function machine(osRelease: string, suites: Readonly<Record<string, string>>): Promise<Machine> {
  const dir = await scratchDir()
  const log = join(dir, 'asked')
  await writeFile(join(dir, 'os-release'), osRelease)
  await writeFile(log, '')
  await writeScript(
    join(dir, 'bin/apt-get'),
    `sources=
for option in "$@"; do
  case $option in Dir::Etc::sourcelist=*) sources=\${option#*=};; esac
done
case " $* " in
*" indextargets "*)
  echo 'https://vendor.example/apt/|nodistro|main'
  echo 'https://mirror.example/os/|bookworm|main'
  echo 'https://mirror.example/os/|bookworm-updates|main'
  echo 'https://mirror.example/os-security/|bookworm-security|main'
  echo 'https://mirror.example/os/|noble|universe'
  ;;
*" update "*)
  cat "$sources" >> '${log}'
  suite=$(sed -E 's/^deb (\\[[^]]*\\] )?[^ ]+ ([^ ]+) .*/\\2/' "$sources")
  [ -e '${dir}'/suites/"$suite" ] || { echo "E: no suite $suite" >&2; exit 100; }
  ;;
*" download nats-server "*)
  suite=$(sed -E 's/^deb (\\[[^]]*\\] )?[^ ]+ ([^ ]+) .*/\\2/' "$sources")
  cp '${dir}'/suites/"$suite" nats-server_1_amd64.deb
  ;;
*) exit 2;;
esac`,
  )
  await writeScript(join(dir, 'bin/dpkg'), 'mkdir -p "$3/usr/sbin" && cp "$2" "$3/usr/sbin/nats-server"')
  await Promise.all(
    Object.entries(suites).map(([suite, body]) => writeScript(join(dir, 'suites', suite), body)),
  )
  vi.stubEnv('PATH', `${join(dir, 'bin')}${delimiter}${process.env['PATH'] ?? ''}`)
  onTestFinished(() => void vi.unstubAllEnvs())
  return {
    asked: async () => (await readFile(log, 'utf8')).trim().split('\n'),
    options: {
      cacheDir: join(dir, 'cache'),
      onProgress: () => undefined,
      osRelease: join(dir, 'os-release'),
      timeoutMs: 5000,
    },
  }
}

const BOOKWORM = 'ID=debian\nVERSION_CODENAME=bookworm\n'

describe('provideFromDebian', () => {
  it('takes the newest suite of the archive this machine uses', async () => {
    const { options, asked } = await machine(BOOKWORM, {
      bookworm: 'echo "nats-server: v2.9.10"',
      testing: 'echo "nats-server: v2.15.1"',
    })

    const provided = await provideFromDebian(options)

    expect(provided).toEqual({ path: join(options.cacheDir, '2.15.1/nats-server'), version: '2.15.1' })
    expect(await asked()).toEqual([
      expect.stringMatching(/^deb (\[.*\] )?https:\/\/mirror\.example\/os\/ testing main$/),
    ])
  })

  it('goes on to an older suite when a newer one is missing or its binary does not run here', async () => {
    const { options } = await machine(BOOKWORM, {
      bookworm: 'echo "nats-server: v2.9.10"',
      testing: 'echo "libc is too old" >&2; exit 1',
    })

    const provided = await provideFromDebian(options)

    expect(provided.version).toBe('2.9.10')
  })

  it('asks for the part of Ubuntu that has the package', async () => {
    const { options, asked } = await machine('ID=ubuntu\nVERSION_CODENAME="noble"\n', {
      noble: 'echo "nats-server: v2.10.7"',
    })

    await provideFromDebian(options)

    expect((await asked()).at(-1)).toMatch(/^deb (\[.*\] )?https:\/\/mirror\.example\/os\/ noble universe$/)
  })

  it('gives the reason of every suite when none has it', async () => {
    const { options } = await machine(BOOKWORM, {})

    const error = await provideFromDebian(options).catch((thrown: unknown) => thrown)

    const message = (error as Error).message
    expect(message).toContain('https://mirror.example/os/ testing: apt-get failed: E: no suite testing')
    expect(message).toContain('https://mirror.example/os/ bookworm: apt-get failed: E: no suite bookworm')
  })

  it('says so on another system', async () => {
    const { options } = await machine('ID=alpine\n', {})

    await expect(provideFromDebian(options)).rejects.toThrow('this is neither Debian nor Ubuntu')
  })

  // The real tools and the real archive: some seconds of one processor, and not every network allows it.
  it.runIf(process.env['HOLDFAST_TEST_PACKAGES'] === '1')(
    'fetches a server that runs here from the real archive',
    async () => {
      const cacheDir = await scratchDir()

      const provided = await provideFromDebian({ cacheDir, onProgress: () => undefined, timeoutMs: 10_000 })

      expect(provided.path).toBe(join(cacheDir, provided.version, 'nats-server'))
    },
    180_000,
  )
})
