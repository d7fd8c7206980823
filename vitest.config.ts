import { availableParallelism } from 'node:os'

import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    globalSetup: 'test/support/global-server.ts',
    hookTimeout: 60_000,
    include: ['test/**/*.test.ts'],
    // Many tests mostly wait: for leases to expire, for processes to come and go.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // Tests kill processes and send signals: a crash must stay in one process of its own.
    pool: 'forks',
    testTimeout: 30_000,
  },
})
