import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { parseSignatureHeader, signedText, verify } from '@placeorder/protocol'
import { noTracing } from '@placeorder/telemetry'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { Admission } from '../src/admission.ts'
import type { Client } from '../src/clients.ts'
import { Connections } from '../src/connection/connections.ts'
import { Exchanges } from '../src/connection/exchanges.ts'
import { Deadlines } from '../src/deadlines.ts'
import { buildServer, type ServerDeps } from '../src/server.ts'
import { Signer } from '../src/signing/signer.ts'
import { SigningQueue } from '../src/signing/signing-queue.ts'

export const path = '/aps/api/v1/payments/placeOrder'
export const inquiryPath = '/aps/api/v1/payments/inquiryOrder'
export const clientId = 'SANDBOX_5Y00000000000001'
const caller = generateKeyPairSync('rsa', { modulusLength: 2048 })
const acquirer = generateKeyPairSync('rsa', { modulusLength: 2048 })

const client: Client = {
  clientId,
  acquirerIds: new Set(['1020000000000000001']),
  key: (version = '1') => (version === '1' ? caller.publicKey : undefined),
  mayCallFrom: (address) => address === '127.0.0.1',
  ordersPerSecondMax: undefined,
}

/** Signs as the acquirer. */
export const signerOf = (queue = new SigningQueue(4)): Signer =>
  new Signer(() => ({ key: acquirer.privateKey, version: '7' }), queue)

/** A store in which every order is placed already. */
export const testUse: ServerDeps['use'] = {
  intake: {
    accept: async () => ({
      kind: 'CONCLUDED',
      outcome: 'SUCCESS',
      paymentRequestId: 'R-1',
    }),
  },
  orders: {
    during: (_paymentId, _signal, body) => body(new Promise(() => {})),
    outcomeOf: async () => undefined,
  },
  finder: { find: async () => undefined },
  durability: { replicated: async () => true, absent: async () => true },
  deadlines: new Deadlines(),
  stage: () => {},
  onFault: () => {},
  waitMs: 3_000,
}

/** Bounds for orders of a test, on a machine that may be busy with other tests. */
export const admitsAll = {
  inFlightMax: 1_000,
  openOrdersMax: 1_000,
  waitMs: 3_000,
  eventLoopDelayMsMax: Number.POSITIVE_INFINITY,
}

/** A real server, except for the store behind it: orders end as `use` says. */
export function testServer(changes: Partial<ServerDeps> = {}): FastifyInstance {
  return buildServer({
    paths: { placeOrder: path, inquireOrder: inquiryPath },
    clients: () => new Map([[clientId, client]]),
    signer: signerOf(),
    admission: new Admission(admitsAll, () => 0),
    newOrders: { refusalOf: async () => undefined },
    requestTimeToleranceMs: 0,
    use: testUse,
    log: pino({ level: 'silent' }),
    onAnswer: () => {},
    stage: () => {},
    tracing: noTracing,
    trustProxy: [],
    tls: undefined,
    connections: new Connections(
      { max: 1_000, perAddressMax: 1_000, isProxy: () => false },
      () => {},
    ),
    exchanges: new Exchanges(),
    draining: () => false,
    ...changes,
  })
}

export type TestRequest = {
  target?: string
  body?: string | Buffer
  key?: KeyObject
  signedBody?: string | Buffer
  headers?: Record<string, string>
}

/** The headers of a correctly signed request. */
export function signedHeaders({
  target = path,
  body = '',
  key = caller.privateKey,
  signedBody = body,
}: TestRequest): Record<string, string> {
  const time = '2026-01-01T00:00:00Z'
  const signature = sign(
    'RSA-SHA256',
    signedText(target, clientId, time, Buffer.from(signedBody)),
    key,
  )
  const encoded = encodeURIComponent(signature.toString('base64'))
  return {
    'client-id': clientId,
    'request-time': time,
    signature: `algorithm=RSA256, keyVersion=1, signature=${encoded}`,
    'content-type': 'application/json; charset=UTF-8',
  }
}

/**
 * Checks that an answer is HTTP 200, signed for a client or UNKNOWN, and JSON. Returns its result
 * code.
 */
export function codeOf(
  answered: { statusCode: number; headers: Record<string, unknown>; rawPayload: Buffer },
  target = path,
): string {
  const header = parseSignatureHeader(String(answered.headers.signature))
  const text = signedText(
    target,
    String(answered.headers['client-id'] ?? ''),
    String(answered.headers['response-time']),
    answered.rawPayload,
  )
  if (![clientId, 'UNKNOWN'].includes(String(answered.headers['client-id']))) return 'for whom?'
  if (answered.statusCode !== 200) return `HTTP ${answered.statusCode}`
  if (header === undefined || header.keyVersion !== '7') return 'unsigned'
  if (!verify(text, acquirer.publicKey, header.signature)) return 'badly signed'
  return JSON.parse(answered.rawPayload.toString()).result.resultCode
}
