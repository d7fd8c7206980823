import { describe, expect, it } from 'vitest'

import { fragile } from '../support/fragile.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { startNode } from '../support/node.ts'
import { run } from './surroundings.ts'

const workflow = fragile(false)

describe('incidents', { timeout: 60_000 }, () => {
  it('lists and shows them, and retries, skips and fails one or all', async () => {
    const namespace = freshNamespace()
    const cli = (...args: readonly string[]) =>
      run([...args, '--namespace', namespace], { server: sharedServerUrl() })
    const node = await startNode({ namespace, workflows: [workflow] })
    const none = await cli('incidents')
    for (const id of ['a', 'b', 'c', 'd']) {
      const handle = await node.client.start(workflow, { id, input: undefined })
      await handle.update({ type: 'ADD', n: 13 })
    }

    const listed = await cli('incidents', '--workflow', 'fragile')
    const json = await cli('incidents', 'list', '--json')
    const shown = await cli('incidents', 'show', 'fragile/a')
    const instance = await cli('show', 'fragile/a')
    const rows = await cli('list', '--status', 'suspended')
    const sent = await cli('send', 'fragile/a', 'ADD', '--data', '{"n":1}')
    const tooSoon = await cli('incidents', 'retry', 'fragile/a')
    const allTooSoon = await cli('incidents', 'retry', '--all')
    const skipped = await cli('incidents', 'skip', 'fragile/b')
    const failed = await cli('incidents', 'fail', 'fragile/c', '--reason', 'a test')
    const again = await cli('incidents', 'show', 'fragile/b')
    await node.stop()
    await startNode({ namespace, workflows: [fragile(true)] })
    const retried = await cli('incidents', 'retry', '--all', '--workflow', 'fragile', '--json')
    const left = await cli('incidents')

    expect(none.stdout).toBe('no instance is suspended\n')
    const lines = listed.stdout.split('\n')
    expect(lines[0]).toMatch(/^INSTANCE +AGE +TRIES +EVENT +ERROR$/)
    expect(lines[1]).toMatch(
      /^fragile\/[a-d] +\d+ s +1 +ADD +Error: Unable to evaluate guard 'isLucky'.*13 is unlucky$/,
    )
    expect(json.stdout.trimEnd().split('\n')).toHaveLength(4)
    expect(JSON.parse(json.stdout.split('\n')[0]!)).toMatchObject({
      incident: { code: 'STEP_FAILED', tries: 1 },
    })
    expect(shown.stdout).toMatch(
      /^fragile\/a\n\n {2}Code {6}STEP_FAILED\n {2}Event {5}ADD\n {2}Thrown .+ago\n/,
    )
    expect(shown.stdout).toMatch(/Error {5}Error: Unable .*13 is unlucky\n {12}at /)
    expect(instance.stdout).toMatch(/^fragile\/a {2}suspended\n/)
    expect(instance.stdout).toContain('Suspended\n  Code      STEP_FAILED\n  Event     ADD\n')
    expect(rows.stdout).toMatch(/^fragile\/a +suspended +open +suspend +\d+ s$/m)
    expect(sent.stderr).toBe('fragile/a is suspended; the event waits until its incident is dealt with\n')
    expect([tooSoon.code, allTooSoon.code, again.code]).toEqual([6, 6, 5])
    expect(tooSoon.stderr).toContain('fragile/a is still suspended')
    expect(allTooSoon.stderr).toContain('4 of them threw again')
    expect(skipped.stdout).toBe('skipped fragile/b\n')
    expect(failed.stdout).toBe('failed fragile/c\n')
    expect(JSON.parse(retried.stdout)).toEqual({ retried: 2, suspended: [] })
    expect(left.stdout).toBe('no instance is suspended\n')
  })

  it.each([
    [['retri'], "does not know 'retri'; did you mean retry?"],
    [['retry'], 'incidents retry needs either <workflow/id> or --all'],
    [['retry', 'a/b', '--all'], 'incidents retry needs either <workflow/id> or --all'],
    [['show'], 'incidents show needs <workflow/id>'],
    [['list', '--all'], 'incidents list does not take --all'],
    [['skip', '--all'], 'add --yes'],
    [['retry', 'a/b', '--reason', 'x'], '--reason is for incidents fail'],
    [['skip', 'a/b', '--workflow', 'a'], 'does not take --workflow'],
  ])('does not understand %j', async (args, message) => {
    const { code, stderr } = await run(['incidents', ...args])

    expect(code).toBe(2)
    expect(stderr).toContain(message)
  })
})
