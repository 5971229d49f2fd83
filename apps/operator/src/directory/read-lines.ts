import { type Entry, entryOf } from './entry.ts'
import { type FileLine, Lines } from './lines.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Reads NDJSON: one record a line. Empty lines are skipped. */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  recordBytesMax: number,
): AsyncGenerator<Entry, void> {
  const lines = new Lines(recordBytesMax)
  for await (const chunk of chunks) {
    for (const line of lines.push(chunk)) yield* entryOn(line, recordBytesMax)
  }
  for (const line of lines.end()) yield* entryOn(line, recordBytesMax)
}

function* entryOn({ number, bytes }: FileLine, recordBytesMax: number): Generator<Entry, void> {
  const where = `line ${number}`
  if (bytes === undefined) {
    yield { where, fault: `is longer than ${recordBytesMax} bytes` }
    return
  }
  const text = textOf(bytes)
  if (text === undefined) yield { where, fault: 'is not UTF-8' }
  else if (text.trim() !== '') yield entryOr(where, text)
}

function entryOr(where: string, text: string): Entry {
  try {
    return entryOf(where, JSON.parse(text))
  } catch {
    return { where, fault: 'is not JSON' }
  }
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes) // It drops a byte order mark.
  } catch {
    return undefined
  }
}
