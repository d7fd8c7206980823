import { describe, expect, it } from 'vitest'

import { RuntimeError } from '../../actors/errors.ts'
import type { Clock } from '../../actors/ports.ts'
import { DevView, type DevFacts } from '../../src/cli/dev/dev-view.ts'
import { LiveScreen } from '../../src/cli/dev/live-screen.ts'
import { widthOf } from '../../src/cli/text.ts'
import type { InstanceSnapshot } from '../../src/client/instance-snapshot.ts'
import { recorder } from './surroundings.ts'

const facts: DevFacts = {
  dataFolder: '/x/.holdfast',
  dataName: '.holdfast',
  found: 0,
  logFile: '/x/.holdfast/dev.log',
  namespace: 'default',
  node: 'dev',
  partitions: 32,
  pid: 1,
  server: { url: 'nats://127.0.0.1:1', version: '2.15.1' },
  workflows: [{ isPaused: false, name: 'pull-request', version: 1 }],
}

function snapshot(id: number, webhooks: number): InstanceSnapshot {
  const at = new Date(1_700_000_000_000 + id)
  const value = {
    tracked: { facts: {}, lifecycle: { open: { ready: { review: 'waiting', freshness: 'fresh' } } } },
  }
  return {
    activities: [],
    address: { workflow: 'pull-request', id: `owner/repository-with-a-name#${id}` },
    context: { counts: { webhooks } },
    createdAt: at,
    error: undefined,
    matches: () => false,
    output: undefined,
    revision: webhooks,
    status: 'running',
    timers: [],
    updatedAt: at,
    value,
    version: 1,
  } as unknown as InstanceSnapshot
}

/** Time that stands still; redraws come when asked for. */
function heldClock(): Clock & { fire(): void } {
  let due: (() => void)[] = []
  return {
    now: () => 0,
    monotonic: () => 0,
    setTimer(_delayMs, callback) {
      due.push(callback)
      return { cancel: () => (due = due.filter(other => other !== callback)) }
    },
    fire() {
      const now = due
      due = []
      for (const callback of now) callback()
    },
  }
}

function open(columns: number, rows: number, total = 10) {
  const clock = heldClock()
  const output = recorder(columns, rows)
  const nextCommands = () => ['holdfast list', `holdfast send ${'x'.repeat(100)}`]
  const screen = new LiveScreen({ clock, nextCommands, output })
  const view = new DevView(facts, { before: 0, deadLetters: 'hf_default_dead', total })
  screen.started(view)
  return { clock, output, screen, view }
}

const escape = '\u001B'

/** What a terminal of that width shows in the end: it obeys just what the screen uses. */
function displayed(text: string, columns: number): string[] {
  const lines: string[] = ['']
  let row = 0
  let column = 0
  const put = (letter: string) => {
    if (column === columns) newLine()
    lines[row] = lines[row]!.slice(0, column).padEnd(column) + letter + lines[row]!.slice(column + 1)
    column += 1
  }
  const newLine = () => {
    row += 1
    column = 0
    lines[row] ??= ''
  }
  const commands = new RegExp(`(\\n|\\r|${escape}\\[\\??\\d*[A-Za-z])`)
  for (const part of text.split(commands)) {
    if (part === '\n') newLine()
    else if (part === '\r') column = 0
    else if (part === '\u001B[K') lines[row] = lines[row]!.slice(0, column)
    else if (part === '\u001B[J') lines.splice(row + 1)
    else if (part.startsWith('\u001B[?25')) continue
    else if (part.startsWith('\u001B')) row -= Number(part.slice(2, -1))
    else for (const letter of Array.from(part)) put(letter)
  }
  return lines
}

describe('the live screen', () => {
  it('draws the same rows again in place, so that nothing is there twice', () => {
    const { clock, output, screen, view } = open(100, 40)

    for (const webhooks of [1, 2, 3]) {
      view.add(snapshot(1, webhooks))
      screen.changed()
      clock.fire()
    }

    const lines = displayed(output.text(), 100)
    expect(lines.filter(line => line.includes('owner/repository'))).toHaveLength(1)
    expect(lines.filter(line => line.includes('webhooks applied'))).toEqual([
      expect.stringMatching(/^ {2}━{9}─{21} {3}3 of 10 webhooks applied$/),
    ])
  })

  it.each([
    [100, 40],
    [80, 24],
    [100, 16],
  ])('fits %i columns and %i rows, however many instances there are', (columns, rows) => {
    const { clock, output, screen, view } = open(columns, rows, 1000)
    for (let id = 0; id < 50; id += 1) view.add(snapshot(id, 1))
    const before = output.text().length
    screen.changed()
    clock.fire()

    const region = output.text().slice(before).split('\n').slice(0, -1)

    const heights = region.map(line => Math.max(1, Math.ceil((widthOf(line) - 3) / columns)))
    expect(heights.reduce((sum, height) => sum + height, 0)).toBeLessThan(rows)
    expect(region.join('\n')).toMatch(/… and \d+ more instances/)
  })

  it('tells completion, and keeps its last picture when it ends', () => {
    const { clock, output, screen, view } = open(100, 40, 2)
    view.add(snapshot(1, 2))
    screen.changed()
    clock.fire()
    screen.stopping()
    screen.stopped()

    const text = displayed(output.text(), 100).join('\n')
    expect(text).toContain('2 of 2 webhooks applied  ✔ in 0.0 s')
    expect(text).toContain('\n\nStopping; Ctrl-C again ends it at once\nStopped. ')
    expect(output.text().lastIndexOf('\u001B[?25h')).toBeGreaterThan(output.text().lastIndexOf('\u001B[?25l'))
  })

  it('shows how many messages were refused, why the last one was, and where they are kept', () => {
    const { clock, output, screen, view } = open(100, 40)
    for (const position of [11, 12]) {
      view.refuse()
      screen.refused(position, new RuntimeError('EVENT_INVALID', `the payload ${'is wrong '.repeat(20)}`))
    }
    clock.fire()

    const lines = displayed(output.text(), 100)
    expect(lines.find(line => line.includes('webhooks applied'))).toMatch(/ 2 refused$/)
    expect(lines.find(line => line.includes('hf_default_dead'))).toMatch(/^Refused messages are kept /)
    expect(lines.filter(line => /^message \d+: the payload is wrong/.test(line))).toEqual([
      expect.stringMatching(/^message 12: .{87}$/),
    ])
  })

  it('counts what records say, not how often it is told', () => {
    const { clock, output, screen, view } = open(100, 40, 10)
    for (const webhooks of [4, 4, 5]) view.add(snapshot(1, webhooks))
    view.add(snapshot(2, 1))
    screen.changed()
    clock.fire()

    expect(displayed(output.text(), 100).join('\n')).toContain(' 6 of 10 webhooks applied')
  })
})
