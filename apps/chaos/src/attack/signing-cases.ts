import type { AttackTestBed } from './attack-test-bed.ts'
import { faultsInAnswers } from './check-answers.ts'
import { sendShot } from './send-shot.ts'
import type { Shot } from './shot.ts'

/** A shot at the public port, which closes its half when it has sent all. */
export const shotOf = (kind: string, text: string | Buffer, changes: Partial<Shot> = {}): Shot => ({
  kind,
  port: 'orders',
  pieces: [Buffer.isBuffer(text) ? text : Buffer.from(text, 'latin1')],
  requests: 1,
  leaving: { how: 'end' },
  placed: [],
  answersInAll: false,
  bare: false,
  ...changes,
})

const close = 'Connection: close\r\n'
const refund = `POST /aps/api/v1/payments/refund HTTP/1.1\r\n${close}Content-Length: 2\r\n`

/** Requests whose Client-Id or target reads as something that we would say. */
const texts = [
  `${refund}Client-Id: ACQ.2026-01-01T00:00:00Z.{"refundRequestId":"1"}\r\n\r\n{}`,
  `${refund}Client-Id: ACQ\r\n\r\n{}`,
  `${refund}Client-Id: \x80\xe9\r\n\r\n{}`,
  `${refund}Client-Id: ${'x'.repeat(9_000)}\r\n\r\n{}`,
  `GET /{"refundRequestId":"1"} HTTP/1.1\r\n${close}\r\n`,
  `GET /\x80\xe9 HTTP/1.1\r\n${close}\r\n`,
  `GET /a\\b|c HTTP/1.1\r\n${close}\r\n`,
  `GET http://here/{"a":"b"} HTTP/1.1\r\n${close}\r\n`,
  `OPTIONS * HTTP/1.1\r\n${close}\r\n`,
  `CONNECT a.{"b":"c"}:1 HTTP/1.1\r\n${close}\r\n`,
  `FROB /{"a":"b"} HTTP/1.1\r\n${close}\r\n`,
]

/** Each is answered, for who is known or for `UNKNOWN`, and for a plain target or `/`. */
export async function strangersTexts({ targets, known }: AttackTestBed): Promise<string[]> {
  const faults = texts.map(async (text) => {
    const shot = shotOf('stranger', text, { answersInAll: true, leaving: { how: 'silence' } })
    const faults = faultsInAnswers(shot, await sendShot(shot, targets), known, () => {})
    return faults.map((fault) => `${JSON.stringify(text.slice(0, 100))}: ${fault}`)
  })
  return (await Promise.all(faults)).flat()
}
