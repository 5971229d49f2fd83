import { createPrivateKey, createPublicKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import {
  answer,
  formatSignatureHeader,
  PlaceOrderRequest,
  parseBody,
  parseSignatureHeader,
  sign,
  signedText,
  verify,
} from '@placeorder/protocol'
import Fastify from 'fastify'

/** What a baseline behind HTTP reads from its environment. */
export type ServerFiles = {
  callerPublicKey: string
  signingKey: string
  path: string
  port: number
}

export const filesOf = (env: NodeJS.ProcessEnv): ServerFiles => ({
  callerPublicKey: env.CALLER_KEY_FILE ?? '',
  signingKey: env.SIGNING_KEY_FILE ?? '',
  path: env.PLACE_ORDER_PATH ?? '',
  port: Number(env.PORT),
})

/**
 * The least a Fastify server must do to speak the protocol: it verifies the request, parses it and
 * signs the result of `decide`. It handles keys and messages with the functions our ingress uses;
 * it has no log, no metrics and no admission control.
 */
export async function serveSigned(
  files: ServerFiles,
  decide: (order: PlaceOrderRequest) => Promise<string> | string,
): Promise<void> {
  const callerKey = createPublicKey(await readFile(files.callerPublicKey))
  const signingKey = createPrivateKey(await readFile(files.signingKey))
  const app = Fastify({ logger: false, bodyLimit: 65_536 })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.post(files.path, async ({ headers, body, raw }, reply) => {
    if (!Buffer.isBuffer(body)) throw new Error('the request has no body')
    const target = raw.url ?? ''
    const clientId = String(headers['client-id'])
    const header = parseSignatureHeader(String(headers.signature))
    const text = signedText(target, clientId, String(headers['request-time']), body)
    if (header === undefined || !verify(text, callerKey, header.signature))
      throw new Error('the signature of the request is wrong')
    const order = parseBody(PlaceOrderRequest, body)
    const code = await decide(order)
    if (code !== 'SUCCESS') throw new Error(`the order was answered ${code}`)
    const payload = Buffer.from(JSON.stringify(answer('SUCCESS', order.paymentId)))
    const time = `${new Date().toISOString().slice(0, 19)}Z`
    const signature = await sign(signedText(target, clientId, time, payload), signingKey)
    reply.headers({
      'content-type': 'application/json; charset=UTF-8',
      'client-id': clientId,
      'response-time': time,
      signature: formatSignatureHeader('1', signature),
    })
    return payload
  })
  await app.listen({ host: '127.0.0.1', port: files.port })
}
