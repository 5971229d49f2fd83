/** An answer as it came over a connection. */
export type RawAnswer = { status: number; headers: Map<string, string>; body: Buffer }

export type RawAnswers = {
  answers: RawAnswer[]
  /** What came after the last whole answer. */
  rest: Buffer
}

const HEAD_END = Buffer.from('\r\n\r\n')

/**
 * Takes the bytes of a connection apart into answers. An interim `100 Continue` is none. With
 * `mayLackBodies`, which is what a HEAD has, an answer may be followed by the next one where its
 * body should be.
 */
export function splitAnswers(bytes: Buffer, mayLackBodies: boolean): RawAnswers {
  const answers: RawAnswer[] = []
  let rest = bytes
  for (;;) {
    const end = rest.indexOf(HEAD_END)
    if (end < 0) return { answers, rest }
    const [first = '', ...lines] = rest.subarray(0, end).toString('latin1').split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1] ?? 0)
    const headers = new Map(
      lines.map((line) => {
        const colon = line.indexOf(': ')
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)] as const
      }),
    )
    const after = rest.subarray(end + HEAD_END.length)
    const length = status === 100 ? 0 : Number(headers.get('content-length') ?? Number.NaN)
    const isBodiless =
      mayLackBodies && (after.length === 0 || after.toString('latin1', 0, 9) === 'HTTP/1.1 ')
    if (status === 0 || Number.isNaN(length)) return { answers, rest }
    if (!isBodiless && after.length < length) return { answers, rest }
    rest = isBodiless ? after : after.subarray(length)
    if (status !== 100 && !isBodiless)
      answers.push({ status, headers, body: after.subarray(0, length) })
  }
}
