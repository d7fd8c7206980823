/** The node of the contestant `holdfast`, in a process of its own. */
import { Diary } from '../contest/diary.ts'
import { serve, type ServedOptions } from '../served-node.ts'
import { counter, parent, slowWith, square, steps, timedWith } from './holdfast-workflows.ts'

export interface HoldfastNodeOptions {
  /** Path of the file in which timers and slow steps are noted. */
  readonly diary: string
  readonly node: ServedOptions
}

const options = JSON.parse(process.argv[2]!) as HoldfastNodeOptions
const diary = new Diary(options.diary)
await serve(options.node, [counter, parent, slowWith(diary), square, steps, timedWith(diary)])
