#!/usr/bin/env node
import { text } from 'node:stream/consumers'

import { RuntimeError } from '../../actors/errors.ts'
import { systemClock } from '../clock.ts'
import { readConfig } from './config.ts'
import { exitOk } from './exit-codes.ts'
import { listenForInterrupts } from './interrupts.ts'
import { runProgram } from './program.ts'
import { processTerminal } from './terminal.ts'

const [, script, ...args] = process.argv
const config = readConfig(process.env, script)
const readerGone = whenReaderGone()

const exitCode = await runProgram(args, {
  config,
  folder: process.cwd(),
  readInput: () => text(process.stdin),
  signal: AbortSignal.any([listenForInterrupts(systemClock), readerGone]),
  terminal: processTerminal(config.colors),
})
// Who reads only the beginning, as `head` does, has got what he wanted.
process.exitCode = readerGone.aborted ? exitOk : exitCode

/** Aborts when nobody reads standard output any more: the pipe is closed, or the terminal. */
function whenReaderGone(): AbortSignal {
  const gone = new AbortController()
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    const isGone = error.code === 'EPIPE' || error.code === 'EIO'
    if (!isGone && !gone.signal.aborted) throw error
    gone.abort(new RuntimeError('ABORTED', 'the output is closed'))
  })
  // There is nowhere left to say so.
  process.stderr.on('error', () => {})
  return gone.signal
}
