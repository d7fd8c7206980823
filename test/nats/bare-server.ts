import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { serverBinary } from '../support/nats.ts'

/** A nats-server without JetStream, for this test alone. Answers its URL. */
export async function bareServer(): Promise<string> {
  const child = spawn(serverBinary(), ['-a', '127.0.0.1', '-p', '-1'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  onTestFinished(async () => {
    const gone = once(child, 'exit')
    if (child.kill('SIGKILL')) await gone
  })
  for await (const line of createInterface(child.stderr)) {
    const port = /Listening for client connections on 127\.0\.0\.1:(\d+)/.exec(line)?.[1]
    if (port !== undefined) {
      child.stderr.resume()
      return `nats://127.0.0.1:${port}`
    }
  }
  throw new Error('nats-server ended before it listened')
}
