import type { KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { type Agent, request as httpRequest } from 'node:http'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import {
  formatSignatureHeader,
  parseSignatureHeader,
  sign,
  signedText,
  verify,
} from '@placeorder/protocol'
import { z } from 'zod'

/** A client, and the acquirer whose answers it expects. */
export type Caller = {
  clientId: string
  key: KeyObject
  /** The version of the client's key; by default 1. */
  keyVersion?: string
  /** The acquirer's key, or its key of each version. */
  serverKey: KeyObject | ((version: string | undefined) => KeyObject | undefined)
}

export type SignedAnswer = {
  status: number
  /** Whether the answer's signature is good. */
  verified: boolean
  /** The version of the key that signed it. */
  keyVersion: string | undefined
  code: string
  paymentRequestId: string | undefined
  body: Record<string, unknown>
  tookMs: number
}

export type CallOptions = {
  /** Aborts the call by closing the connection. */
  signal?: AbortSignal
  /** Called when the request is sent, after signing and connecting. */
  onSend?: () => void
  /** Supplies connections; without one each call opens its own. */
  agent?: Agent
  /** Additional headers. */
  headers?: Record<string, string>
  /** Uses TLS: the trusted authority, and the client's certificate with its key. */
  tls?: { ca: string; cert?: string; key?: string }
}

/** A message with its headers, ready to be sent. */
export type SignedMessage = { body: Buffer; headers: Record<string, string | number> }

/** Signs a message ahead of its call. */
export async function signMessage(
  url: string,
  message: unknown,
  { clientId, key, keyVersion = '1' }: Caller,
): Promise<SignedMessage> {
  const body = Buffer.from(JSON.stringify(message))
  const time = new Date().toISOString()
  const signature = await sign(signedText(new URL(url).pathname, clientId, time, body), key)
  const headers = {
    'client-id': clientId,
    'request-time': time,
    signature: formatSignatureHeader(keyVersion, signature),
    'content-type': 'application/json; charset=UTF-8',
    'content-length': body.length,
  }
  return { body, headers }
}

/**
 * Sends one signed message, as Alipay+ does. Rejects when the connection breaks, or `signal`
 * aborts.
 */
export const signedCall = async (
  url: string,
  message: unknown,
  caller: Caller,
  calling: CallOptions = {},
): Promise<SignedAnswer> =>
  sendSigned(url, await signMessage(url, message, caller), caller, calling)

/** As `signedCall`, for a message that is signed already. */
export async function sendSigned(
  url: string,
  { body, headers }: SignedMessage,
  { serverKey }: Caller,
  { signal, onSend = () => {}, agent, headers: more, tls }: CallOptions = {},
): Promise<SignedAnswer> {
  const { pathname: target, hostname, port } = new URL(url)
  const socket =
    agent === undefined ? await connected(Number(port), hostname, signal, tls) : undefined
  const { promise, resolve, reject } = Promise.withResolvers<SignedAnswer>()
  onSend()
  const started = performance.now()
  const call = httpRequest(
    {
      host: hostname,
      port,
      path: target,
      method: 'POST',
      headers: { ...headers, ...more },
      ...(signal ? { signal } : {}),
      ...(socket ? { createConnection: () => socket } : { agent }),
    },
    (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const tookMs = performance.now() - started
        const body = Buffer.concat(chunks)
        const {
          'response-time': time = '',
          'client-id': to = '',
          signature: signed = '',
        } = response.headers
        const text = signedText(target, String(to), String(time), body)
        const header = parseSignatureHeader(String(signed))
        const { keyVersion } = header ?? {}
        const signer = typeof serverKey === 'function' ? serverKey(keyVersion) : serverKey
        const verified =
          header !== undefined && signer !== undefined && verify(text, signer, header.signature)
        try {
          resolve({
            status: response.statusCode ?? 0,
            verified,
            keyVersion,
            tookMs,
            ...parsedFrom(body),
          })
        } catch (error) {
          reject(error)
        }
      })
    },
  )
  call.on('error', reject)
  call.end(body)
  return promise
}

/** Opens a connection for one call. */
async function connected(
  port: number,
  host: string,
  signal: AbortSignal | undefined,
  tls: CallOptions['tls'],
): Promise<Socket> {
  const to = { port, host, noDelay: true }
  const socket = tls === undefined ? connect(to) : connectTls({ ...to, ...tls })
  try {
    await once(socket, tls === undefined ? 'connect' : 'secureConnect', signal ? { signal } : {})
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

const AnswerBody = z.looseObject({
  result: z.looseObject({ resultCode: z.string() }),
  paymentRequestId: z.string().optional(),
})

function parsedFrom(text: Buffer): Pick<SignedAnswer, 'code' | 'paymentRequestId' | 'body'> {
  const body = AnswerBody.parse(JSON.parse(text.toString()))
  return { code: body.result.resultCode, paymentRequestId: body.paymentRequestId, body }
}
