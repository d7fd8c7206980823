import { describe, expect, it } from 'vitest'

import { exitCodes, exitMeanings } from '../../src/cli/exit-codes.ts'
import { widthOf } from '../../src/cli/text.ts'
import { sharedServerUrl } from '../support/nats.ts'
import { scratchDir } from '../support/processes.ts'
import { run } from './surroundings.ts'

const commands = ['dev', 'start', 'send', 'update', 'show', 'watch', 'list', 'result', 'dead', 'incidents']

describe('help', () => {
  it('lists every command, every exit code with its errors, and the environment', async () => {
    const { code, stdout } = await run(['--help'])

    expect(code).toBe(0)
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command} `, 'm'))
    for (const name of Object.keys(exitCodes)) expect(stdout).toContain(name)
    for (const variable of ['HOLDFAST_SERVER', 'HOLDFAST_NAMESPACE', 'HOLDFAST_NATS_SERVER', 'NO_COLOR']) {
      expect(stdout).toContain(variable)
    }
  })

  it.each(commands)('of %s has its usage, its options and examples, and fits 100 columns', async command => {
    const { code, stdout } = await run([command, '--help'])

    expect(code).toBe(0)
    expect(stdout).toMatch(new RegExp(`^  holdfast ${command} .*\\[options\\]$`, 'm'))
    expect(stdout).toContain('--json')
    expect(stdout.split('Examples\n')[1]).toMatch(new RegExp(`^  # .+\\n  holdfast ${command}`))
    expect(Math.max(...stdout.split('\n').map(widthOf))).toBeLessThanOrEqual(100)
    expect((await run(['help', command])).stdout).toBe(stdout)
    expect((await run([command, '-h'])).stdout).toBe(stdout)
  })

  it('fits a narrow terminal, save for lines that are to be copied', async () => {
    const { stdout } = await run(['watch', '--help'], { columns: 80 })

    const prose = stdout.split('\n').filter(line => !line.startsWith('  holdfast '))
    expect(Math.max(...prose.map(widthOf))).toBeLessThanOrEqual(80)
  })

  it('is what a call without a command gets', async () => {
    expect(await run([])).toEqual(await run(['--help']))
  })

  it('says its version', async () => {
    expect((await run(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect(await run(['-v'])).toEqual(await run(['--version']))
  })
})

describe('a command line that is not understood', () => {
  it.each([
    [['lst'], "unknown command 'lst'; did you mean list?", '--help'],
    [['frobnicate'], "unknown command 'frobnicate'; there are dev, start", '--help'],
    [['help', 'lst'], "unknown command 'lst'; did you mean list?", '--help'],
    [['--worflow', 'n', 'list'], 'unknown option --worflow before a command', '--help'],
    [['--namespace', 'n'], 'the command is missing', '--help'],
    [['--namespace', 'n', 'lst'], "unknown command 'lst'", '--help'],
    [['--namespace', 'n', 'list', '--worflow'], 'unknown option --worflow', 'list --help'],
    [['list', '--worflow', 'x'], 'unknown option --worflow; did you mean --workflow?', 'list --help'],
    [['list', '-w'], 'unknown option -w', 'list --help'],
    [['list', '-help'], 'unknown option -e', 'list --help'],
    [['list', '--limit'], '--limit needs a value', 'list --help'],
    [['list', '--limit', '--help'], '--limit needs a value', 'list --help'],
    [
      ['list', '--limit', 'many'],
      "--limit must be a whole number from 0 to 1000000; got 'many'",
      'list --help',
    ],
    [['list', '--json=yes'], "--json takes no value; got 'yes'", 'list --help'],
    [['list', '--status', 'runing'], "got 'runing'; did you mean running?", 'list --help'],
    [['list', 'orders'], "list does not take 'orders'", 'list --help'],
    [['send', 'order/1'], 'send needs <event>', 'send --help'],
    [['show'], 'show needs <workflow/id>', 'show --help'],
    [['send', 'order/1', '{"type":'], 'the event is not JSON', 'send --help'],
    [['send', 'order/1', '{"kind":"X"}'], 'the event needs a type', 'send --help'],
    [['send', 'order/1', '["X"]'], 'the event needs a type', 'send --help'],
    [['send', 'order/1', '"X"'], 'the event needs a type', 'send --help'],
    [['send', 'order/1', 'X', '--data', '[1]'], "--data must be a JSON object; got '[1]'", 'send --help'],
    [['send', 'order/1', 'X', '--data', '{"type":"Y"}'], "--data must not contain 'type'", 'send --help'],
    [['start', 'order', '--input', '{'], '--input is not JSON', 'start --help'],
    [
      ['start', 'order', '--input', '1', '--input-file', 'x'],
      'either --input or --input-file',
      'start --help',
    ],
    [['start', 'order', '--input-file', 'missing.json'], '--input-file cannot be read', 'start --help'],
    [
      ['result', 'order/1', '--timeout', '5'],
      '--timeout must be a number with a unit, like 250ms',
      'result --help',
    ],
    [['dev', '--port', '70000'], '--port must be a whole number from 1 to 65535', 'dev --help'],
    [['dev', '--workflows', 'missing.js'], '--workflows missing.js cannot be loaded', 'dev --help'],
    [['dev', '--data', import.meta.filename], `nothing can be kept in ${import.meta.filename}`, 'dev --help'],
    [['dev', '--port', '4222', '--server', 'nats://a'], 'with nats://a it starts none', 'dev --help'],
  ])('%j', async (args, message, hint) => {
    const { code, stderr, stdout } = await run(args)

    expect(stderr).toContain(`error USAGE: `)
    expect(stderr).toContain(message)
    expect(stderr).toContain(`\n  more: holdfast ${hint}\n`)
    expect([code, stdout]).toEqual([2, ''])
  })

  it('is answered as JSON where JSON was asked for', async () => {
    const { code, stderr } = await run(['list', '--jsno', '--json'])

    expect(JSON.parse(stderr)).toEqual({
      error: {
        code: 'USAGE',
        message: 'unknown option --jsno; did you mean --json?',
        hint: 'more: holdfast list --help',
        fields: {},
        exitCode: 2,
      },
    })
    expect(code).toBe(2)
  })
})

describe('options of every command', () => {
  it('may come before it', async () => {
    const after = await run(['list', '--json', '--server', 'nats://127.0.0.1:1', '--namespace=n'])

    const before = await run(['--json', '--server', 'nats://127.0.0.1:1', '--namespace=n', 'list'])

    expect(before).toEqual(after)
    expect(JSON.parse(before.stderr)).toMatchObject({ error: { code: 'CONNECTION_FAILED' } })
  })
})

describe('a command that cannot connect', () => {
  it('says where it looked and how to start something, when there is nothing to connect to', async () => {
    const folder = await scratchDir()

    const { code, stderr } = await run(['list'], { folder })

    expect(stderr).toMatch(
      /^error CONNECTION_FAILED: no 'holdfast dev' runs for .*HOLDFAST_SERVER is given\n/,
    )
    expect(stderr).toContain(`${folder} or a folder above`)
    expect(stderr).toContain('\n  start one here with: holdfast dev\n')
    expect(code).toBe(8)
  })

  it('says which server does not answer', async () => {
    const { code, stderr } = await run(['list', '--server', 'nats://127.0.0.1:1'])

    expect(stderr).toContain('error CONNECTION_FAILED: cannot connect to NATS at nats://127.0.0.1:1 ')
    expect(code).toBe(8)
  })

  it('names a namespace that does not exist', async () => {
    const { code, stderr } = await run(['list', '--namespace', 'nobody'], { server: sharedServerUrl() })

    expect(stderr).toContain("error NAMESPACE_NOT_FOUND: there is no namespace 'nobody'")
    expect(code).toBe(4)
  })

  it('refuses a namespace that cannot be one', async () => {
    const { code, stderr } = await run(['list', '--namespace', 'a.b'], { server: sharedServerUrl() })

    expect(stderr).toContain('error OPTIONS_INVALID: a namespace must be')
    expect(code).toBe(2)
  })
})

describe('exit codes', () => {
  it('all have a meaning, and every meaning its use', () => {
    const used = new Set([0, 1, ...Object.values(exitCodes)])

    expect(new Set(Object.keys(exitMeanings).map(Number))).toEqual(used)
  })
})
