/** A line of a file, numbered from 1; `bytes` is undefined if it is too long to be a record. */
export type FileLine = { number: number; bytes: Uint8Array | undefined }

const LINE_FEED = 0x0a

/**
 * Splits chunks of bytes into lines. Holds at most one line, and nothing of one that is too long.
 */
export class Lines {
  readonly #bytesMax: number
  #rest: Uint8Array[] = []
  #restBytes = 0
  #number = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** The lines that end in this chunk. */
  *push(chunk: Uint8Array): Generator<FileLine, void> {
    let from = 0
    for (;;) {
      const to = chunk.indexOf(LINE_FEED, from)
      if (to === -1) break
      this.#keep(chunk.subarray(from, to))
      yield this.#line()
      from = to + 1
    }
    this.#keep(chunk.subarray(from))
  }

  /** The last line, if it has no line feed. */
  *end(): Generator<FileLine, void> {
    if (this.#restBytes > 0) yield this.#line()
  }

  #keep(part: Uint8Array): void {
    this.#restBytes += part.length
    if (this.#restBytes > this.#bytesMax) this.#rest = []
    else this.#rest.push(part)
  }

  #line(): FileLine {
    const parts = this.#rest
    const tooLong = this.#restBytes > this.#bytesMax
    this.#rest = []
    this.#restBytes = 0
    this.#number += 1
    const [only = new Uint8Array()] = parts
    return {
      number: this.#number,
      bytes: tooLong ? undefined : parts.length > 1 ? Buffer.concat(parts) : only,
    }
  }
}
