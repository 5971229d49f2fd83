// Arrays as PostgreSQL sends them in binary: nothing is quoted and escaped here, nor parsed there.
// A batch of 1,000 orders in text took twice the CPU time on both sides.

/** PostgreSQL's numbers of types. */
const TEXT = 25
const TIMESTAMPTZ = 1_184

/** Dimensions, whether there are nulls, the type, the length and the first index, 4 bytes each. */
const HEADER_BYTES = 20
const LENGTH_BYTES = 4
const TIME_BYTES = 8

/** What PostgreSQL counts times from: the beginning of 2000 (ms since 1970). */
const EPOCH_MS = Date.UTC(2000)

/** A `text[]`. */
export function textArray(texts: readonly (string | undefined)[]): Buffer {
  const lengths = texts.map((text) => (text === undefined ? -1 : Buffer.byteLength(text)))
  const bytes = lengths.reduce((sum, length) => sum + LENGTH_BYTES + Math.max(0, length), 0)
  const array = newArray(TEXT, texts.length, bytes)
  let at = HEADER_BYTES
  for (const [i, text] of texts.entries()) {
    at = array.writeInt32BE(lengths[i] ?? 0, at)
    if (text !== undefined) at += array.write(text, at)
  }
  return array
}

/** A `timestamptz[]` of times in ms since 1970. */
export function timeArray(times: readonly number[]): Buffer {
  const array = newArray(TIMESTAMPTZ, times.length, times.length * (LENGTH_BYTES + TIME_BYTES))
  let at = HEADER_BYTES
  for (const ms of times) {
    const us = (ms - EPOCH_MS) * 1_000
    at = array.writeInt32BE(TIME_BYTES, at)
    at = array.writeInt32BE(Math.floor(us / 2 ** 32), at)
    at = array.writeUInt32BE(us - Math.floor(us / 2 ** 32) * 2 ** 32, at)
  }
  return array
}

function newArray(type: number, length: number, bytes: number): Buffer {
  const array = Buffer.allocUnsafe(HEADER_BYTES + bytes)
  const [dimensions, hasNulls, firstIndex] = [1, 1, 1]
  for (const [i, word] of [dimensions, hasNulls, type, length, firstIndex].entries())
    array.writeInt32BE(word, 4 * i)
  return array
}
