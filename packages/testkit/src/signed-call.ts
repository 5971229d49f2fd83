import type { KeyObject } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { formatSignatureHeader, parseSignatureHeader, sign, signedText, verify } from '@placeorder/protocol'

/** Who calls, and whose answers are expected. */
export type Caller = { clientId: string; key: KeyObject; serverKey: KeyObject }

export type Heard = {
  status: number
  /** Whether the answer's signature is good. */
  verified: boolean
  code: string
  paymentRequestId: string | undefined
  body: Record<string, unknown>
  tookMs: number
}

/** Sends one signed message, as Alipay+ does, on a connection of its own. Rejects when the connection breaks. */
export async function signedCall(
  url: string,
  message: unknown,
  { clientId, key, serverKey }: Caller,
): Promise<Heard> {
  const { pathname: target, hostname, port } = new URL(url)
  const body = Buffer.from(JSON.stringify(message))
  const time = new Date().toISOString()
  const signature = formatSignatureHeader('1', await sign(signedText(target, clientId, time, body), key))
  const headers = {
    'client-id': clientId,
    'request-time': time,
    signature,
    'content-type': 'application/json; charset=UTF-8',
    'content-length': body.length,
  }
  const started = performance.now()
  return new Promise((resolve, reject) => {
    const call = httpRequest(
      { host: hostname, port, path: target, method: 'POST', headers, agent: false },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const answer = Buffer.concat(chunks)
          const {
            'response-time': answeredAt = '',
            'client-id': answeredTo = '',
            signature: signed = '',
          } = response.headers
          const text = signedText(target, String(answeredTo), String(answeredAt), answer)
          const header = parseSignatureHeader(String(signed))
          const said = JSON.parse(answer.toString())
          resolve({
            status: response.statusCode ?? 0,
            verified: header !== undefined && verify(text, serverKey, header.signature),
            code: said.result?.resultCode,
            paymentRequestId: said.paymentRequestId,
            body: said,
            tookMs: performance.now() - started,
          })
        })
      },
    )
    call.on('error', reject)
    call.end(body)
  })
}
