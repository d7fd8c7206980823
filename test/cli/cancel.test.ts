import { describe, expect, it } from 'vitest'

import { bookingOf } from '../support/cancelling.ts'
import { freshNamespace, sharedServerUrl } from '../support/nats.ts'
import { startNode } from '../support/node.ts'
import { run, type RunResult } from './surroundings.ts'

const booking = bookingOf()

/** A node with bookings under way, and the command line beside it. */
async function begin(...ids: readonly `${'BOOK' | 'WORK'}-${number}`[]) {
  const namespace = freshNamespace()
  const { client } = await startNode({ namespace, workflows: [booking] })
  for (const id of ids) {
    const handle = await client.start(booking, { id, input: id })
    await handle.update({ type: id.startsWith('BOOK') ? 'BOOK' : 'WORK' })
  }
  const cli = (...args: readonly string[]): Promise<RunResult> =>
    run([...args, '--namespace', namespace], { server: sharedServerUrl() })
  return { cli, client }
}

describe('holdfast cancel', () => {
  it('ends an instance and says what has come of it', async () => {
    const { cli, client } = await begin('WORK-1', 'BOOK-1')

    const ended = await cli('cancel', 'booking/WORK-1', '--reason', 'rain')
    const shown = await cli('show', 'booking/WORK-1')
    const ending = await cli('cancel', 'booking/BOOK-1', '--grace', '1h', '--json')
    const during = await cli('show', 'booking/BOOK-1')
    const forced = await cli('cancel', 'booking/BOOK-1', '--force')
    const late = await cli('cancel', 'booking/BOOK-1')

    expect(ended).toEqual({ code: 0, stdout: 'cancelled booking/WORK-1\n', stderr: '' })
    expect(shown.stdout).toMatch(/ {2}cancelled\n[^]*Cancelled rain\n/)
    expect(JSON.parse(ending.stdout)).toMatchObject({ address: 'booking/BOOK-1', status: 'cancelling' })
    expect(during.stdout).toMatch(/ {2}cancelling\n[^]*Ends {6}at the latest in \d+ min/)
    expect(forced.stdout).toBe('cancelled booking/BOOK-1\n')
    expect(late).toMatchObject({ code: 5, stderr: expect.stringContaining('has ended (cancelled)') })
    expect((await client.instance(booking, 'BOOK-1').get())?.status).toBe('cancelled')
  })

  it('ends all of a workflow once it is sure', async () => {
    const { cli } = await begin('WORK-1', 'WORK-2', 'BOOK-1')

    const unsure = await cli('cancel', '--workflow', 'booking')
    const sure = await cli('cancel', '--workflow', 'booking', '--yes')
    const again = await cli('cancel', '--all', '--force', '--yes', '--json')
    const nothing = await cli('cancel', '--all', '--yes')

    expect(unsure).toMatchObject({ code: 2, stderr: expect.stringContaining('--yes') })
    expect(sure).toEqual({ code: 0, stdout: '2 cancelled, 1 cancelling\n', stderr: '' })
    expect(JSON.parse(again.stdout)).toEqual({ cancelled: 1, cancelling: 0, failed: 0, finished: 0 })
    expect(nothing.stdout).toBe('nothing to cancel\n')
  })

  it.each([
    [['cancel'], 2, 'one of <workflow/id>, --workflow and --all'],
    [['cancel', 'booking/a', '--all', '--yes'], 2, 'one of <workflow/id>, --workflow and --all'],
    [['cancel', 'booking/nobody'], 4, 'there is no instance booking/nobody'],
    [['cancel', 'booking/WORK-1', '--grace', 'soon'], 2, '--grace must be'],
    [['cancel', '--workflow', 'bookings', '--yes'], 4, "there is no workflow 'bookings'"],
  ])('refuses %j', async (args, code, reason) => {
    const { cli } = await begin('WORK-1')

    const result = await cli(...args)

    expect(result).toMatchObject({
      code,
      stdout: expect.not.stringContaining('cancelled'),
      stderr: expect.stringContaining(reason),
    })
  })
})
