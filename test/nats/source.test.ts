import { randomUUID } from 'node:crypto'
import { NatsError } from 'nats'
import { describe, expect, it, onTestFinished } from 'vitest'

import { isRuntimeError, RuntimeError } from '../../actors/errors.ts'
import { connectNats, type NatsConnection } from '../../src/nats/connection.ts'
import { openSource, type OutsideMessage, type SourceMessage } from '../../src/nats/source.ts'
import { systemClock } from '../../src/clock.ts'
import { ownServer, sharedServerUrl } from '../support/nats.ts'
import { scratchDir } from '../support/processes.ts'

async function connection(url = sharedServerUrl()): Promise<NatsConnection> {
  const connected = await connectNats({ clock: systemClock, servers: url, requestTimeoutMs: 500 })
  onTestFinished(() => connected.close())
  return connected
}

function names() {
  const id = randomUUID().slice(0, 8)
  return { reader: 'r', stream: `source_${id}`, subjects: [`source.${id}.>`] }
}

type Names = ReturnType<typeof names>

function message({ subjects }: Names, text: string): OutsideMessage {
  return {
    headers: { 'X-Text': text },
    payload: new TextEncoder().encode(text),
    subject: subjects[0]!.replace('>', 'one'),
  }
}

const textOf = ({ payload }: SourceMessage) => new TextDecoder().decode(payload)

/** Reads until that many were handled, then stops cleanly. */
async function take(
  source: Awaited<ReturnType<typeof openSource>>,
  count: number,
  handle: (message: SourceMessage) => Promise<void> = async () => {},
): Promise<readonly SourceMessage[]> {
  const stop = new AbortController()
  const taken: SourceMessage[] = []
  await source.consume(async received => {
    await handle(received)
    taken.push(received)
    if (taken.length === count) stop.abort()
  }, stop.signal)
  return taken
}

describe('appending', () => {
  it('stores a message at its position once, however often it is appended', async () => {
    const named = names()
    const source = await openSource(await connection(), named)

    await source.append(0, message(named, 'a'))
    await source.append(0, message(named, 'a'))
    await source.append(1, message(named, 'b'))
    await source.append(0, message(named, 'a'))

    expect(await source.progress()).toEqual({ stored: 2, taken: 0 })
  })

  it('says that the outcome is unknown when it cannot be looked up what stands there', async () => {
    const named = names()
    const connected = await connection()
    const source = await openSource(connected, named)
    await source.append(0, message(named, 'a'))
    connected.jsm.streams.getMessage = () => Promise.reject(new NatsError('timeout', 'TIMEOUT'))

    const again = source.append(0, message(named, 'a'))

    await expect(again).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true })
  })

  it('refuses a message where another one stands, and one behind a gap', async () => {
    const named = names()
    const source = await openSource(await connection(), named)
    await source.append(0, message(named, 'a'))

    const other = source.append(0, message(named, 'b'))
    const gap = source.append(2, message(named, 'c'))

    await expect(other).rejects.toMatchObject({ code: 'REVISION_CONFLICT' })
    await expect(gap).rejects.toMatchObject({ code: 'REVISION_CONFLICT' })
    expect(await source.progress()).toEqual({ stored: 1, taken: 0 })
  })
})

describe('consuming', () => {
  it('hands over every message in order, with its position, subject and headers', async () => {
    const named = names()
    const source = await openSource(await connection(), named)
    for (const [index, text] of ['a', 'b', 'c'].entries()) await source.append(index, message(named, text))

    const taken = await take(source, 3)

    expect(taken.map(one => [one.position, textOf(one), one.headers['X-Text'], one.subject])).toEqual(
      ['a', 'b', 'c'].map((text, index) => [index + 1, text, text, message(named, text).subject]),
    )
  })

  it('waits for messages that come later', async () => {
    const named = names()
    const source = await openSource(await connection(), named)

    const taking = take(source, 2)
    await source.append(0, message(named, 'a'))
    await source.append(1, message(named, 'b'))

    expect((await taking).map(textOf)).toEqual(['a', 'b'])
  })

  it('hands the same message over again, and no later one, while its handler fails for now', async () => {
    const named = names()
    const source = await openSource(await connection(), named)
    for (const [index, text] of ['a', 'b'].entries()) await source.append(index, message(named, text))
    const seen: string[] = []

    await take(source, 2, async received => {
      seen.push(textOf(received))
      if (seen.length < 3) throw new RuntimeError('STORE_UNAVAILABLE', 'for now', { retryable: true })
    })

    expect(seen).toEqual(['a', 'a', 'a', 'b'])
  })

  it('ends with an error that will not pass, and the message is the first of the next reader', async () => {
    const named = names()
    const nats = await connection()
    const source = await openSource(nats, named)
    for (const [index, text] of ['a', 'b', 'c'].entries()) await source.append(index, message(named, text))
    const failing = source.consume(async received => {
      if (textOf(received) === 'b') throw new RuntimeError('EVENT_INVALID', 'no webhook')
    }, new AbortController().signal)
    await expect(failing).rejects.toMatchObject({ code: 'EVENT_INVALID' })

    const taken = await take(await openSource(nats, named), 2)

    expect(taken.map(textOf)).toEqual(['b', 'c'])
  })

  it('begins a new reading at once with the first message that was not acknowledged', async () => {
    const named = names()
    const nats = await connection()
    const source = await openSource(nats, named)
    for (const [index, text] of ['a', 'b', 'c'].entries()) await source.append(index, message(named, text))
    // Hangs in the handling of 'b', as a process does that is then killed.
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    const hung = new Promise<void>(resolve => {
      void source.consume(async received => {
        if (textOf(received) !== 'b') return
        resolve()
        await new Promise(() => {})
      }, stop.signal)
    })
    await hung

    const next = await openSource(nats, named)
    const hurried = AbortSignal.timeout(1_000)
    const taken = await take(next, 2, async () => hurried.throwIfAborted())

    // The server would have waited three seconds for the acknowledgement of 'b'.
    expect(taken.map(textOf)).toEqual(['b', 'c'])
  })

  it('ends an older reader of the same name, and leaves readers of other names alone', async () => {
    const named = names()
    const nats = await connection()
    const source = await openSource(nats, named)
    const other = await openSource(nats, { ...named, reader: 'r_2' })
    const stop = new AbortController()
    const ending = source.consume(async () => {}, stop.signal)

    const [ended] = await Promise.allSettled([ending, openSource(nats, named)])

    expect(ended).toMatchObject({ status: 'rejected', reason: { code: 'REVISION_CONFLICT' } })
    await source.append(0, message(named, 'a'))
    expect((await take(other, 1)).map(textOf)).toEqual(['a'])
  })

  it('says how far it has come', async () => {
    const named = names()
    const nats = await connection()
    const source = await openSource(nats, named)
    for (const [index, text] of ['a', 'b', 'c'].entries()) await source.append(index, message(named, text))
    await take(source, 2)

    const { stored, taken } = await (await openSource(nats, named)).progress()

    expect([stored, taken]).toEqual([3, 2])
  })

  it('ends with an error when the connection is closed', async () => {
    const nats = await connection()
    const source = await openSource(nats, names())
    const ending = source.consume(async () => {}, new AbortController().signal)

    await nats.close()

    await expect(ending).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })

  it('skips and repeats nothing when the server is killed and comes back', { timeout: 60_000 }, async () => {
    const named = names()
    const storeDir = await scratchDir()
    const first = await ownServer({ storeDir })
    const { port } = first
    const source = await openSource(await connection(first.url), named)
    const texts = Array.from({ length: 40 }, (_, index) => String(index))
    const append = async (from: number, to: number) => {
      for (const [index, text] of texts.entries()) {
        if (index < from || index >= to) continue
        await untilStored(() => source.append(index, message(named, text)))
      }
    }
    await append(0, 20)
    let crash: Promise<unknown> | undefined
    const stop = new AbortController()
    const positions: number[] = []

    const reading = source.consume(async received => {
      positions.push(received.position)
      if (received.position === 10) {
        first.kill('SIGKILL')
        crash = first.exited.then(() => ownServer({ port, storeDir }))
      }
      if (received.position === texts.length) stop.abort()
    }, stop.signal)
    const appending = append(20, texts.length)
    await Promise.all([reading, appending])
    await crash

    expect(new Set(positions).size).toBe(texts.length)
    expect(positions).toEqual(positions.toSorted((a, b) => a - b))
  })
})

async function untilStored(act: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await act()
    } catch (error) {
      if (!isRuntimeError(error) || !error.retryable) throw error
    }
  }
}
