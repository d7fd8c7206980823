import { assign, fromPromise, setup } from 'xstate'

import { send, settle, type Scenario } from '../scenario.ts'

type Lister = (path: string) => Promise<readonly string[]>

/** Looks through folders for films; a folder that cannot be read ends the scan with an error for people. */
export function mediaScanner(): Scenario {
  const folders: Readonly<Record<string, readonly string[]>> = {
    '/films': ['a.mkv', 'b.txt', 'c.mp4'],
    '/more': ['d.mkv'],
  }
  const list: Lister = path =>
    folders[path] === undefined
      ? Promise.reject(new Error(`no folder ${path}`))
      : Promise.resolve(folders[path])
  const machine = setup({
    types: {} as {
      context: { base: string; open: readonly string[]; films: readonly string[]; error: unknown }
      events: { type: 'scan'; folders: readonly string[] } | { type: 'restart' }
    },
    actors: {
      list: fromPromise(({ input }: { input: string }) => list(input)),
    },
    guards: { isComplete: ({ context }) => context.open.length === 0 },
  }).createMachine({
    id: 'mediaScanner',
    context: { base: '/', open: [], films: [], error: null },
    initial: 'idle',
    states: {
      idle: {
        on: {
          scan: { target: 'scanning', actions: assign({ open: ({ event }) => event.folders, error: null }) },
        },
      },
      scanning: {
        initial: 'choosing',
        onDone: 'reporting',
        states: {
          choosing: { always: [{ guard: 'isComplete', target: 'scanned' }, { target: 'listing' }] },
          listing: {
            invoke: {
              src: 'list',
              input: ({ context }) => context.open[0]!,
              onDone: {
                target: 'choosing',
                actions: assign({
                  open: ({ context }) => context.open.slice(1),
                  films: ({ context, event }) => [
                    ...context.films,
                    ...event.output.filter(file => /\.(mkv|mp4)$/.test(file)),
                  ],
                }),
              },
              onError: { target: '#unreadable', actions: assign({ error: ({ event }) => event.error }) },
            },
          },
          scanned: { type: 'final' },
        },
      },
      reporting: { on: { restart: 'idle' } },
      unreadable: { id: 'unreadable', on: { restart: 'idle' } },
    },
  })
  return {
    machine,
    script: [
      send('scan', { folders: ['/films', '/nowhere'] }),
      settle,
      send('restart'),
      send('scan', { folders: ['/more'] }),
      settle,
    ],
    ends: {
      value: 'reporting',
      context: { base: '/', open: [], films: ['a.mkv', 'c.mp4', 'd.mkv'], error: null },
    },
  }
}
