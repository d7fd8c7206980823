/**
 * Takes nats-server from the Linux distribution itself: Debian and Ubuntu package it.
 *
 *   apt-get indextargets   which archive this machine uses: no host is written here
 *   apt-get update         into folders of our own, for one suite of that archive
 *   apt-get download       the one package
 *   dpkg -x                unpack it, without installing it and without running any of its scripts
 *
 * Nothing of the system changes and no privilege is needed. Authenticity is apt's work: it checks the signature
 * of the archive's index with the keys of this machine and the package against that index, and our settings do
 * not let it make an exception.
 */
import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { binaryName, copyOf, keepInCache } from './cache.ts'
import { deadlineIn, reasonOf, run } from './run.ts'

/** What the package way needs to know. */
export interface DebianOptions {
  readonly cacheDir: string
  readonly onProgress: (message: string) => void
  /** What tells the distribution. Default `/etc/os-release`. */
  readonly osRelease?: string
  /** How long apt waits for a silent archive. */
  readonly timeoutMs: number
}

interface Distribution {
  /** The part of the archive that has the package. */
  readonly component: string
  readonly keyring: string
  /** Newest first: an old release's package is often older than what we want. */
  readonly suites: readonly string[]
}

/** A hung archive must not hold a start for longer, all suites together. */
const TOTAL_TIMEOUT_MS = 180_000

/**
 * Fetches the distribution's package and keeps its binary in the cache.
 *
 * @throws Error with the reason of every suite when none gave a binary that runs here
 */
export async function provideFromDebian(
  options: DebianOptions,
  signal?: AbortSignal,
): Promise<{ readonly path: string; readonly version: string }> {
  const release = parseRelease(await readFile(options.osRelease ?? '/etc/os-release', 'utf8').catch(() => ''))
  const distribution = distributionOf(release)
  const deadline = deadlineIn(TOTAL_TIMEOUT_MS)
  const stop = signal === undefined ? deadline : AbortSignal.any([deadline, signal])
  const archives = await archivesOf(distribution.component, release.get('VERSION_CODENAME'), stop)
  const reasons: string[] = []
  for (const suite of distribution.suites) {
    for (const archive of archives) {
      const source = `${archive} ${suite}`
      options.onProgress(`fetching the nats-server package of ${release.get('ID')} ${suite}`)
      const scratch = await mkdtemp(join(tmpdir(), 'holdfast-package-'))
      try {
        const binary = await fetchPackage(scratch, source, distribution, options.timeoutMs, stop)
        return await keepInCache(options.cacheDir, binaryName('linux'), copyOf(binary))
      } catch (error) {
        signal?.throwIfAborted()
        if (deadline.aborted)
          throw new Error(`the packages took longer than ${TOTAL_TIMEOUT_MS} ms`, { cause: error })
        reasons.push(`${source}: ${reasonOf(error)}`)
      } finally {
        await rm(scratch, { recursive: true, force: true })
      }
    }
  }
  throw new Error(reasons.length === 0 ? 'apt knows no archive of the distribution' : reasons.join('; '))
}

function distributionOf(release: ReadonlyMap<string, string>): Distribution {
  const id = release.get('ID')
  const own = release.get('VERSION_CODENAME')
  const suites = (newest: readonly string[]): string[] => [
    ...new Set(own === undefined ? newest : [...newest, own]),
  ]
  if (id === 'debian') {
    const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg'
    return { component: 'main', keyring, suites: suites(['testing', 'unstable']) }
  }
  if (id === 'ubuntu') {
    const keyring = '/usr/share/keyrings/ubuntu-archive-keyring.gpg'
    return { component: 'universe', keyring, suites: suites(['devel']) }
  }
  throw new Error('this is neither Debian nor Ubuntu')
}

/** os-release(5): lines of `NAME=value`, the value quoted or not. */
function parseRelease(content: string): Map<string, string> {
  const lines = content.matchAll(/^([A-Z_]+)=["']?(.*?)["']?$/gm)
  return new Map([...lines].map(([, name = '', value = '']) => [name, value]))
}

/**
 * The archives this machine takes the component from: those with its own release first. Others (a vendor's, with
 * a component of the same name) may be among them; they lack the package or the distribution's signature.
 */
async function archivesOf(
  component: string,
  codename: string | undefined,
  signal: AbortSignal,
): Promise<string[]> {
  // Without release info it answers even where no index was ever fetched, as in a fresh container.
  const args = ['indextargets', '--no-release-info', '--format', '$(REPO_URI)|$(RELEASE)|$(COMPONENT)']
  const output = await run('apt-get', [...args, 'Created-By: Packages'], { timeoutMs: 30_000 }, signal)
  const targets = output.split('\n').map(line => line.split('|'))
  const usable = targets.filter(
    ([uri = '', release = '', from]) =>
      // `bookworm-security`, `bookworm-updates` are not whole archives.
      uri !== '' && !uri.startsWith('cdrom:') && from === component && !/[-/]/.test(release),
  )
  const ownFirst = usable.toSorted((a, b) => Number(b[1] === codename) - Number(a[1] === codename))
  return [...new Set(ownFirst.map(([uri = '']) => uri))].slice(0, 2)
}

async function fetchPackage(
  scratch: string,
  source: string,
  distribution: Distribution,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string> {
  const [lists, cache, packages, files] = ['lists', 'cache', 'packages', 'files'].map(name =>
    join(scratch, name),
  ) as [string, string, string, string]
  const folders = [join(lists, 'partial'), join(cache, 'archives', 'partial'), packages, files]
  await Promise.all(folders.map(folder => mkdir(folder, { recursive: true })))
  const sources = join(scratch, 'sources.list')
  const signedBy = await access(distribution.keyring).then(
    () => `[signed-by=${distribution.keyring}] `,
    // Then apt's own keyrings decide.
    () => '',
  )
  await writeFile(sources, `deb ${signedBy}${source} ${distribution.component}\n`)

  const settings = Object.entries({
    'Acquire::AllowInsecureRepositories': 'false',
    'Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled': 'false',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '0',
    'Acquire::http::Timeout': String(Math.ceil(timeoutMs / 1000)),
    'Acquire::https::Timeout': String(Math.ceil(timeoutMs / 1000)),
    'APT::Default-Release': '',
    'APT::Get::AllowUnauthenticated': 'false',
    // The folders are ours alone: another user could not write to them.
    'APT::Sandbox::User': '',
    // Else an archive that does not answer is only a warning.
    'APT::Update::Error-Mode': 'any',
    'Debug::NoLocking': '1',
    'Dir::Cache': cache,
    'Dir::Etc::preferencesparts': '/dev/null',
    'Dir::Etc::sourcelist': sources,
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::lists': lists,
  }).flatMap(([name, value]) => ['-o', `${name}=${value}`])
  const options = { cwd: packages, timeoutMs: TOTAL_TIMEOUT_MS }
  await run('apt-get', [...settings, '-qq', 'update'], options, signal)
  await run('apt-get', [...settings, '-qq', 'download', 'nats-server'], options, signal)
  const [archive] = await readdir(packages)
  if (archive === undefined) throw new Error('apt-get downloaded nothing')
  await run('dpkg', ['-x', join(packages, archive), files], options, signal)
  return join(files, 'usr', 'sbin', 'nats-server')
}
