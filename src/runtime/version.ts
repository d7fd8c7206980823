import { createRequire } from 'node:module'

/** Of Holdfast. Found by its own name, so from the sources and from the build alike. */
export function holdfastVersion(): string {
  const { version } = createRequire(import.meta.url)('holdfast/package.json') as { version: string }
  return version
}
