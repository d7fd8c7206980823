import { join } from 'node:path'

import type { Crashing } from '../contest/crash.ts'
import type { DiaryReader } from '../contest/diary.ts'
import { NodeProcess } from '../node-process.ts'
import type { WorkerNews, WorkerOptions, WorkerOrder } from './dbos-worker.ts'

type Worker = NodeProcess<WorkerOrder, WorkerNews>

/** A runtime that can be killed, which is begun when it is first needed. */
export class MortalWorker implements AsyncDisposable {
  readonly diary: DiaryReader
  readonly #answers = new Map<string, (value: number) => void>()
  readonly #url: string
  #worker: Worker | undefined

  constructor(diary: DiaryReader, url: string) {
    this.diary = diary
    this.#url = url
  }

  get pid(): number | undefined {
    return this.#worker?.pid
  }

  /** What is done with it, and how it, or what it runs on, is killed. */
  crashing(crash: () => Promise<void>): Crashing {
    return {
      crash,
      diary: this.diary,
      result: id => this.#ask({ type: 'result', id, n: 0 }),
      start: async (id, n) => void (await this.#ask({ type: 'start', id, n })),
    }
  }

  async begin(): Promise<void> {
    const options: WorkerOptions = { diary: this.diary.path, url: this.#url }
    const worker: Worker = new NodeProcess(
      join('peers', 'dbos-worker'),
      options,
      new AbortController().signal,
    )
    worker.on('answer', ({ id, value }) => this.#answers.get(id)?.(value))
    await worker.next('serving')
    this.#worker = worker
  }

  async crash(): Promise<void> {
    await this.#worker?.kill()
    await this.begin()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.kill()
  }

  #ask(order: WorkerOrder): Promise<number> {
    return new Promise(resolve => {
      this.#answers.set(order.id, resolve)
      this.#worker!.tell(order)
    })
  }
}
