import { execFile, spawn } from 'node:child_process'
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

import { describe, expect, it, onTestFinished } from 'vitest'

import { serverBinary, sharedServerUrl } from './support/nats.ts'
import { startNode } from './support/node.ts'
import { picture } from './support/remotes.ts'

const root = resolve(import.meta.dirname, '..')
const readme = await readFile(join(root, 'README.md'), 'utf8')
const run = promisify(execFile)

/** The code block whose opening line ends with that name. */
function blockNamed(name: string): string {
  const block = new RegExp(`^\`\`\`\\w+ ${name}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(readme)?.[1]
  if (block === undefined) throw new Error(`README.md has no block '${name}'`)
  return block
}

/** A folder inside the checkout, so that packages resolve. */
async function workshop(files: Readonly<Record<string, string>>): Promise<string> {
  const parent = join(root, 'node_modules', '.readme')
  await mkdir(parent, { recursive: true })
  const folder = await mkdtemp(join(parent, 'run-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const tsconfig = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { rootDir: root },
    include: ['*.ts', join(root, 'src/**/*.d.ts')],
  }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(tsconfig))
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return folder
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // Nothing of it is left.
  }
}

describe('the README', () => {
  it('links only to files that exist', async () => {
    const targets = [...readme.matchAll(/\]\(([^)#:]+)\)/g)].map(([, target]) => join(root, target!))

    const missing: string[] = []
    for (const target of targets) await access(target).catch(() => void missing.push(target))

    expect(targets.length).toBeGreaterThan(10)
    expect(missing).toEqual([])
  })

  it.each([
    ['quick-start', /^receipt for 1250 cents \(order\/o-1\/.+\)\n$/],
    ['attempts', /^attempt 2 copied from page 2 on\n$/],
    ['together', /^144 booked\n$/],
    ['pausing', /^paused 0\n5\n$/],
    ['queueing', /^(shipped for (acme|emca)\n){3}\{ running: 0, waiting: 0 \}\n$/],
    ['cancelling', /^cancelling\ncancelled\n$/],
    ['incidents', /^suspended\ni-1 STEP_FAILED SyntaxError: .*\n\{ settled: 1, suspended: \[\] \}\n10\.5\n$/],
    ['remote', /^cat-640\.png\n$/],
    ['pools', /^all built, two at a time\n$/],
    ['dead-letters', /^1 INSTANCE_NOT_FOUND till\/t-1 .*\n\{ replayed: 1, left: 0 \}\n5\n$/],
  ])('has a program %s that typechecks and runs', { timeout: 60_000 }, async (name, expected) => {
    const program = blockNamed(name).replace("'holdfast'", "'../../../src/index.ts'")
    const folder = await workshop({ 'program.ts': program })

    await run(join(root, 'node_modules/.bin/tsc'), ['-p', folder])
    const { stdout } = await run(process.execPath, ['--import', 'tsx', join(folder, 'program.ts')], {
      cwd: root,
      env: { ...process.env, PATH: `${resolve(serverBinary(), '..')}:${process.env['PATH']}` },
    })

    expect(stdout).toMatch(expected)
  })

  it('has a worker that needs nothing but a NATS client', { timeout: 60_000 }, async () => {
    const node = await startNode({ workflows: [picture] })
    const { namespace } = node.status()
    const program = blockNamed('foreign-worker')
      .replaceAll('hf_default_', `hf_${namespace}_`)
      .replaceAll('hf.default.', `hf.${namespace}.`)
    const folder = await workshop({ 'worker.js': program })
    const worker = spawn(process.execPath, [join(folder, 'worker.js')], {
      env: { ...process.env, NATS_URL: sharedServerUrl() },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    onTestFinished(() => void worker.kill('SIGKILL'))

    const [good, bad] = await Promise.all(
      [640, undefined].map((width, n) => node.client.start(picture, { id: `p-${n}`, input: width })),
    )

    expect(await good!.result({ timeout: '30s' })).toBe('cat-640.png')
    expect(await bad!.result({ timeout: '30s' })).toMatch(/^TypeError: /)
  })

  it('has a crash demo that finds its instances again', { timeout: 120_000 }, async () => {
    const cwd = await mkdtemp(join(tmpdir(), 'holdfast-readme-'))
    onTestFinished(() => rm(cwd, { recursive: true, force: true }))
    const cli = join(root, 'src/cli/main.ts')
    const script = `
      set -e
      npx() { shift; ${process.execPath} --import ${join(root, 'node_modules/tsx/dist/loader.mjs')} ${cli} "$@"; }
      trap 'kill -TERM %1 %2 2>/dev/null || true; wait || true' EXIT
      ${blockNamed('crash-demo')}
    `
    const shell = spawn('bash', ['-c', script], {
      cwd,
      // A process group of its own, so that nothing the script started outlives the test.
      detached: true,
      env: { ...process.env, HOLDFAST_NATS_SERVER: serverBinary() },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    onTestFinished(() => killGroup(shell.pid!))
    let output = ''
    shell.stdout.on('data', chunk => (output += String(chunk)))
    shell.stderr.on('data', chunk => (output += String(chunk)))

    const code = await new Promise<number | null>(settle => shell.on('exit', settle))

    expect(`${code}\n${output}`).toMatch(/^0\n[\s\S]*"status": "fulfilled"/)
  })
})
