import { codeOf } from './test-server.ts'

/**
 * The codes of the answers in these bytes, each with HTTP 200 and signed for its target; the last
 * target is that of all further answers.
 */
export function answerCodesIn(bytes: string, ...targets: string[]): string[] {
  return bytes
    .split(/(?=HTTP\/1\.1 )/)
    .filter((one) => one !== '')
    .map((one, at) => {
      const [head = '', body = ''] = one.split('\r\n\r\n')
      const [status = '', ...lines] = head.split('\r\n')
      const headers = Object.fromEntries(
        lines.map((line) => [
          line.slice(0, line.indexOf(':')).toLowerCase(),
          line.slice(line.indexOf(':') + 2),
        ]),
      )
      const response = {
        statusCode: Number(status.split(' ')[1]),
        headers,
        rawPayload: Buffer.from(body),
      }
      return codeOf(response, targets[at] ?? targets.at(-1))
    })
}
