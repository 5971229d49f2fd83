import {
  answer,
  checkMedia,
  InquiryOrderRequest,
  type PlaceOrderAnswer,
  PlaceOrderRequest,
  parseBody,
  Refusal,
  type ResultCode,
} from '@placeorder/protocol'
import type { Logger, Metrics, Step, Tracing } from '@placeorder/telemetry'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { type Addressee, addresseeOf } from './addressee.ts'
import { addressIn, inRanges } from './addresses.ts'
import type { Admission } from './admission.ts'
import type { Client, Clients } from './clients.ts'
import type { Connections } from './connections.ts'
import { type InquireOrderDeps, inquireOrder } from './inquire-order.ts'
import { createListener } from './listener.ts'
import type { NewOrders } from './new-orders.ts'
import { type PlaceOrderDeps, placeOrder } from './place-order.ts'
import { authorize, verifyRequest } from './signed.ts'
import type { Expected, Signer } from './signer.ts'
import type { TlsOptions } from './tls.ts'

export type Door = 'place' | 'inquire' | 'none'

/** An answer as it left, for the operator. `seconds` is from the arrival of the request's headers to its signature. */
export type Answered = {
  door: Door
  code: string
  /** The client the request names, if there is such a one; whether it was that client, `code` says. */
  clientId: string | undefined
  paymentId: string | undefined
  /** Why it was refused at the door. */
  reason: string | undefined
  seconds: number
}

export type ServerDeps = {
  paths: { placeOrder: string; inquireOrder: string }
  clients: () => Clients
  signer: Signer
  admission: Admission
  newOrders: Pick<NewOrders, 'refusalOf'>
  requestTimeToleranceMs: number
  use: PlaceOrderDeps & InquireOrderDeps
  log: Pick<Logger, 'error' | 'debug'>
  onAnswer: (answered: Answered) => void
  stage: Metrics['stage']
  tracing: Pick<Tracing, 'step'>
  /** Whose X-Forwarded-For is believed: the load balancer's addresses. */
  trustProxy: readonly string[]
  tls: TlsOptions | undefined
  connections: Connections
  /** True once the process is to end: callers are then told to come back on another connection. */
  draining: () => boolean
}

/** Whose answer it is when what came is no HTTP. */
const nobody = { door: 'none', clientId: undefined, paymentId: undefined, seconds: 0 } as const

/** The largest body (bytes): an order with every field at its longest is below 20 KiB, PROTOCOL.md grants 64 KiB. */
const BODY_BYTES_MAX = 65_536

type Seen = {
  arrivedAt: number
  client?: Client
  door: Door
  code: string
  paymentId?: string
  reason?: string | undefined
  /** The order's way from its arrival to its signed answer. */
  step?: Step
  shareable: boolean
  /** What its answer will be, most likely; signed meanwhile. */
  expected?: Expected
}

declare module 'fastify' {
  interface FastifyRequest {
    /** What became known of this request on its way. */
    seen: Seen
  }
}

/** The public server: every request that reaches it is answered with HTTP 200, signed, in the protocol's words. */
export function buildServer(deps: ServerDeps): FastifyInstance {
  const isTrusted = inRanges(deps.trustProxy)
  const app = Fastify({
    logger: false, // An answer is one line of ours; a child logger for each request would cost more than the line.
    bodyLimit: BODY_BYTES_MAX,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    exposeHeadRoutes: false,
    trustProxy: (hop) => isTrusted(addressIn(hop)),
    clientErrorHandler: () => {}, // The listener answers, signed; Fastify would answer before it.
    frameworkErrors: (_error, request, reply) => refuseTarget(request, reply, deps),
    serverFactory: (handler) =>
      createListener(handler, {
        signer: deps.signer,
        tls: deps.tls,
        connections: deps.connections,
        onRaw: (code, reason) => deps.onAnswer({ ...nobody, code, reason }),
        onHandshake: (err) => deps.log.debug({ err }, 'a caller and we did not come to speak TLS'),
      }),
  })
  app.decorateRequest('seen')
  app.addHook('onRequest', (request, _reply, done) => {
    request.seen = seenNow()
    if (request.is404) throw noDoor(request, deps) // Before its body is read: whatever that is, the path comes first.
    done()
  })
  answerInTheProtocolsWords(app, deps)
  addDoors(app, deps)
  return app
}

const seenNow = (): Seen => ({
  arrivedAt: performance.now(),
  door: 'none',
  code: 'UNKNOWN_EXCEPTION',
  shareable: true,
})

/** Whatever is sent, by a handler or by an error, leaves as HTTP 200 with our signature. */
function answerInTheProtocolsWords(app: FastifyInstance, deps: ServerDeps): void {
  app.setErrorHandler(async (error, request) => {
    const code = codeOf(error)
    const { seen } = request
    if (code === 'UNKNOWN_EXCEPTION')
      deps.log.error({ paymentId: seen.paymentId, err: error }, 'an answer could not be made')
    else seen.reason = messageOf(error)
    return say(request, code)
  })
  app.addHook('onSend', (request, reply, payload) =>
    signReply(request, reply, String(payload), deps),
  )
}

/** Makes a reply ours and tells of it; gives its body, left as a string: Node then sends it in one piece with the headers. */
async function signReply(
  request: FastifyRequest,
  reply: FastifyReply,
  text: string,
  { clients, signer, onAnswer, stage, draining }: ServerDeps,
): Promise<string> {
  const body = Buffer.from(text)
  const { seen } = request
  const to = addresseeIn(request, clients())
  const signingAt = performance.now()
  const answered = { ...to, body, shareable: seen.shareable }
  const headers = await signer.headersFor(answered, seen.expected)
  reply.code(200).headers({
    'content-type': 'application/json; charset=UTF-8',
    'client-id': to.clientId,
    ...headers,
  })
  if (draining()) reply.header('connection', 'close')
  seen.step?.end({ attributes: { resultCode: seen.code } })
  const now = performance.now()
  stage('sign', (now - signingAt) / 1000)
  const seconds = (now - seen.arrivedAt) / 1000
  onAnswer({
    door: seen.door,
    code: seen.code,
    clientId: clients().get(to.clientId)?.clientId,
    paymentId: seen.paymentId,
    reason: seen.reason,
    seconds,
  })
  return text
}

/** Why no door was found for a request. */
function noDoor(request: FastifyRequest, { paths }: ServerDeps): Refusal {
  const [path] = targetOf(request).split('?')
  const known = path === paths.placeOrder || path === paths.inquireOrder
  return known
    ? new Refusal('METHOD_NOT_SUPPORTED', 'it is not a POST')
    : new Refusal('NO_INTERFACE_DEF', 'nothing is at this path')
}

/** Answers a request whose target the router cannot read, such as `/%zz`: Fastify runs no hook for it. */
function refuseTarget(request: FastifyRequest, reply: FastifyReply, deps: ServerDeps): void {
  request.seen = { ...seenNow(), reason: 'its path cannot be decoded' }
  signReply(request, reply, say(request, 'NO_INTERFACE_DEF'), deps)
    .then((text) => void reply.send(text))
    .catch(() => reply.raw.destroy())
}

/** The protocol's two doors. Both stand behind the same hooks, so that no request gets around them. */
function addDoors(app: FastifyInstance, deps: ServerDeps): void {
  app.register(async (doors) => {
    doors.removeAllContentTypeParsers()
    doors.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    )
    doors.addHook('onRequest', ({ seen, routeOptions, headers }, _reply, done) => {
      seen.door = routeOptions.url === deps.paths.placeOrder ? 'place' : 'inquire'
      checkMedia(headers['content-type'], headers.accept)
      headers['content-type'] = 'application/json' // It is, in whichever of many ways it was said.
      done()
    })
    doors.addHook('preValidation', (request, _reply, done) => {
      const startedAt = performance.now()
      try {
        request.seen.client = verifyRequest(
          { target: targetOf(request), rawHeaders: request.raw.rawHeaders, body: bodyOf(request) },
          { clients: deps.clients(), requestTimeToleranceMs: deps.requestTimeToleranceMs },
        )
      } finally {
        deps.stage('verify', (performance.now() - startedAt) / 1000)
      }
      done()
    })
    doors.post(deps.paths.placeOrder, async (request) => {
      const { seen } = request
      const order = parseBody(PlaceOrderRequest, bodyOf(request))
      const client = clientOf(request, order)
      seen.step = deps.tracing.step('place order', {
        startedAt: Date.now() - (performance.now() - seen.arrivedAt),
        attributes: { paymentId: order.paymentId, clientId: client.clientId },
      })
      seen.reason = deps.admission.tooMuch(client) ?? (await deps.newOrders.refusalOf(order))
      if (seen.reason !== undefined) return say(request, 'REQUEST_TRAFFIC_EXCEED_LIMIT')
      const incoming = { order, clientId: client.clientId, trace: seen.step.traceparent }
      const expecting = (expected: PlaceOrderAnswer) => {
        const body = Buffer.from(JSON.stringify(expected))
        const answered = { ...addresseeIn(request, deps.clients()), body, shareable: false }
        seen.expected = deps.signer.expect(answered)
      }
      const placed = await deps.admission.admitted(() => placeOrder(incoming, deps.use, expecting))
      seen.code = placed.result.resultCode
      seen.shareable = placed.paymentRequestId === undefined
      return JSON.stringify(placed)
    })
    doors.post(deps.paths.inquireOrder, async (request) => {
      const { seen } = request
      const inquiry = parseBody(InquiryOrderRequest, bodyOf(request))
      clientOf(request, inquiry)
      const told = await inquireOrder(inquiry, deps.use)
      seen.code = told.result.resultCode
      seen.shareable = false
      return JSON.stringify(told)
    })
  })
}

/** Who sent this request, if that client may ask for this acquirer. */
function clientOf(
  request: FastifyRequest,
  asked: { acquirerId: string; paymentId: string },
): Client {
  const { seen } = request
  seen.paymentId = asked.paymentId
  if (seen.client === undefined) throw new Error('a request came to a door without being verified')
  authorize(seen.client, asked.acquirerId, addressIn(request.ip))
  return seen.client
}

function say(request: FastifyRequest, code: ResultCode): string {
  request.seen.code = code
  request.seen.shareable = true
  return JSON.stringify(answer(code))
}

/** What a thrown error is in the protocol's words. Fastify's own errors below 500 are the sender's fault. */
function codeOf(error: unknown): ResultCode {
  if (error instanceof Refusal) return error.code
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : 500
  return typeof status === 'number' && status < 500 ? 'PARAM_ILLEGAL' : 'UNKNOWN_EXCEPTION'
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)
const addresseeIn = (request: FastifyRequest, clients: Clients): Addressee =>
  addresseeOf(targetOf(request), request.headers['client-id']?.toString(), clients)
const bodyOf = (request: FastifyRequest): Buffer =>
  Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)

/** Path and query as received. What is before them in a target in absolute form (`http://host/path`) is not signed. */
function targetOf({ raw: { url = '/' } }: FastifyRequest): string {
  return url.startsWith('/') ? url : url.replace(/^\w+:\/\/[^/?#]*/, '') || '/'
}
