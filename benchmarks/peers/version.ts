import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const require = createRequire(import.meta.url)

/** The version of a package that is installed here, whether or not it exports its `package.json`. */
export function versionOf(name: string): string {
  const folder = require.resolve
    .paths(name)!
    .map(path => join(path, name, 'package.json'))
    .find(path => isThere(path))
  if (folder === undefined) throw new Error(`${name} is not installed`)
  return (JSON.parse(readFileSync(folder, 'utf8')) as { readonly version: string }).version
}

function isThere(path: string): boolean {
  try {
    readFileSync(path)
    return true
  } catch {
    return false
  }
}
