import { access, constants, readdir } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'

/**
 * A program on this machine: on the PATH, else where Debian keeps it.
 *
 * @param elsewhere a folder; `*` stands for any version, of which the highest is taken
 */
export async function findProgram(name: string, elsewhere: string): Promise<string | undefined> {
  const folders = [...process.env['PATH']!.split(delimiter), ...(await foldersOf(elsewhere))]
  for (const folder of folders) {
    const path = join(folder, name)
    const isThere = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return path
  }
  return undefined
}

async function foldersOf(pattern: string): Promise<readonly string[]> {
  if (!pattern.includes('*')) return [pattern]
  const [above, below] = pattern.split('*') as [string, string]
  const versions = await readdir(dirname(join(above, 'x'))).catch(() => [])
  return versions.toSorted((a, b) => Number(b) - Number(a)).map(version => join(above, version, below))
}
