import { JSONParser } from '@streamparser/json'
import { type Entry, entryOf } from './entry.ts'

/** The form of a .json file. */
export const SHAPE = 'a directory is { "merchants": [ … ], "codes": [ … ] }'
const kinds = { merchants: 'merchant', codes: 'code' } as const

/**
 * Reads a JSON document with lists of merchants and codes, record by record; it holds one record at
 * a time. Reading ends at what is not JSON; the records before it are good.
 */
export async function* readDocument(
  chunks: AsyncIterable<Uint8Array>,
  recordBytesMax: number,
): AsyncGenerator<Entry, void> {
  const found: Entry[] = []
  const strange = new Set<string>()
  const utf8 = new TextDecoder('utf-8', { fatal: true })
  const parser = new JSONParser({ paths: ['$.*.*'], keepStack: false })
  let ended = false
  let bytes = 0
  let recordFrom = 0
  parser.onValue = ({ value, key, stack }) => {
    const list = String(stack.at(-1)?.key)
    recordFrom = bytes
    if (isList(list) && typeof key === 'number')
      found.push(entryOf(`${list}.${key}`, value, kinds[list]))
    else if (!strange.has(list)) found.push({ where: list, fault: `is neither list: ${SHAPE}` })
    strange.add(list)
  }
  parser.onEnd = () => {
    ended = true
  }
  for await (const chunk of chunks) {
    const fault = faultOf(() => {
      utf8.decode(chunk, { stream: true })
      parser.write(bytes === 0 ? withoutMark(chunk) : chunk)
    })
    bytes += chunk.length
    yield* found.splice(0)
    if (fault !== undefined) {
      yield { where: `after byte ${bytes - chunk.length}`, fault }
      return
    }
    if (bytes - recordFrom > recordBytesMax + chunk.length) {
      yield {
        where: `after byte ${recordFrom}`,
        fault: `no record ends within ${recordBytesMax} bytes`,
      }
      return
    }
  }
  if (!ended) yield { where: `after byte ${bytes}`, fault: 'the document is cut off' }
}

const isList = (name: string): name is keyof typeof kinds => Object.hasOwn(kinds, name)

function faultOf(read: () => void): string | undefined {
  try {
    read()
    return undefined
  } catch (error) {
    return error instanceof TypeError
      ? 'is not UTF-8'
      : `is not JSON: ${error instanceof Error ? error.message : error}`
  }
}

/** Drops a byte order mark: it is not JSON, but some editors write one. */
const withoutMark = (chunk: Uint8Array): Uint8Array =>
  chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf ? chunk.subarray(3) : chunk
