import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

import { describe, expect, it, onTestFinished } from 'vitest'

import { freshNamespace, sharedServerUrl } from '../support/nats.ts'

describe('S13: a node that has stopped', () => {
  it(
    'leaves nothing of itself, whatever was under way: its process ends by itself',
    { timeout: 90_000 },
    async () => {
      const script = join(import.meta.dirname, 'stopped-process.ts')
      const args = ['--import', 'tsx', script, sharedServerUrl(), freshNamespace()]
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
      onTestFinished(() => void child.kill('SIGKILL'))

      const [left, errors, [code]] = await Promise.all([
        text(child.stdout),
        text(child.stderr),
        once(child, 'close') as Promise<[number | null]>,
      ])

      expect(errors).toBe('')
      const { lingeredMs, ...rest } = JSON.parse(left) as { lingeredMs: number }
      expect(rest).toEqual({ problems: [], timers: [] })
      expect(lingeredMs).toBeLessThan(1_000)
      expect(code).toBe(0)
    },
  )
})
