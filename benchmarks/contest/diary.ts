import { openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'

/** Lines that a process writes down at once, so that they survive when it is killed, and that another reads. */
export class Diary {
  readonly #file: number

  constructor(path: string) {
    this.#file = openSync(path, 'a')
  }

  note(...words: readonly (number | string)[]): void {
    writeSync(this.#file, `${words.join(' ')}\n`)
  }
}

/** What a diary holds, each line as its words; and nothing any more, when it is begun anew. */
export interface DiaryReader {
  readonly begin: () => void
  readonly path: string
  readonly read: () => readonly (readonly string[])[]
}

export function readerOf(path: string): DiaryReader {
  return {
    begin: () => writeFileSync(path, ''),
    path,
    read: () =>
      readFileSync(path, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map(line => line.split(' ')),
  }
}
