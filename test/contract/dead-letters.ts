import { textOf } from '../../src/nats/record-headers.ts'
import { scanStream } from '../../src/nats/scan.ts'
import type { NatsFixture } from './fixtures.ts'
import type { KeptLetter } from './inbox.ts'

/** The dead letters of a namespace. */
export async function keptLetters({ connection, namespace }: NatsFixture): Promise<readonly KeptLetter[]> {
  const { subjects } = namespace
  const letters: KeptLetter[] = []
  const options = { filters: [subjects.allDeadLetters], headersOnly: false }
  for await (const { msg } of scanStream(connection, subjects.deadLetterStream, options)) {
    const header = (name: string) => textOf(msg.headers!.get(name))
    letters.push({
      code: header('Hf-Code'),
      data: new Uint8Array(msg.data),
      reason: header('Hf-Reason'),
      seq: Number(header('Hf-Seq')),
    })
  }
  return letters
}
