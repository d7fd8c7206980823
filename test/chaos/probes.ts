import type { Client, InstanceHandle } from '../../src/index.ts'
import { Times } from './figures.ts'
import { counter } from './workload.ts'

const periodMs = 100
const answerTimeout = '500ms'

/** Asks one instance of each partition again and again, to see how long each goes unserved. */
export class Probes {
  readonly #handles: readonly InstanceHandle<typeof counter>[]
  readonly #stop = new AbortController()
  readonly #loops: Promise<void>[]
  /** By probe, when the question was asked that was answered last. */
  readonly #answered: number[]
  /** Times between two answers of one probe. */
  readonly gaps = new Times()

  private constructor(handles: readonly InstanceHandle<typeof counter>[]) {
    this.#handles = handles
    this.#answered = handles.map(() => performance.now())
    this.#loops = handles.map((_, index) => this.#ask(index))
  }

  static async start(client: Client, ids: readonly string[]): Promise<Probes> {
    const handles = ids.map(id => client.start(counter, { id, input: { peer: id } }))
    return new Probes(await Promise.all(handles))
  }

  /** Milliseconds from now until every probe has been answered that was asked after now. */
  async served(): Promise<number> {
    const from = performance.now()
    while (this.#answered.some(at => at < from)) await pause(periodMs / 4)
    return performance.now() - from
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#loops)
  }

  async #ask(index: number): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const asked = performance.now()
      try {
        // No transition takes it: it changes nothing, and is answered all the same.
        await this.#handles[index]!.update({ type: 'NOTHING' } as never, { timeout: answerTimeout })
        this.gaps.add(performance.now() - this.#answered[index]!)
        this.#answered[index] = asked
      } catch {
        // Unserved for the moment: asked again.
      }
      await pause(periodMs)
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => {
    setTimeout(resolve, ms)
  })
}
