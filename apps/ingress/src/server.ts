import {
  checkMedia,
  InquiryOrderRequest,
  type PlaceOrderAnswer,
  PlaceOrderRequest,
  parseBody,
  Refusal,
  type ResultCode,
} from '@placeorder/protocol'
import type { Logger, Tracing } from '@placeorder/telemetry'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Admission } from './admission.ts'
import type { Client } from './clients.ts'
import { addressIn, inRanges } from './connection/addresses.ts'
import type { Connections } from './connection/connections.ts'
import type { Exchanges } from './connection/exchanges.ts'
import { createListener } from './connection/raw-server.ts'
import type { TlsOptions } from './connection/tls.ts'
import { type InquireOrderDeps, inquireOrder } from './inquire-order.ts'
import type { NewOrders } from './new-orders.ts'
import { type PlaceOrderDeps, placeOrder } from './place-order.ts'
import {
  newRequestState,
  prepareReply,
  type ReplyDeps,
  requestTarget,
  sharedAnswer,
  signReply,
} from './reply.ts'
import { authorize, verifyRequest } from './verify-request.ts'

export type ServerDeps = ReplyDeps & {
  paths: { placeOrder: string; inquireOrder: string }
  admission: Admission
  newOrders: Pick<NewOrders, 'refusalOf'>
  requestTimeToleranceMs: number
  use: PlaceOrderDeps & InquireOrderDeps
  log: Pick<Logger, 'error' | 'debug'>
  tracing: Pick<Tracing, 'startSpan'>
  /** The addresses whose X-Forwarded-For is trusted: the load balancers'. */
  trustProxy: readonly string[]
  tls: TlsOptions | undefined
  connections: Connections
  exchanges: Exchanges
}

/** The report of an answer to what is not HTTP. */
const notHttp = {
  endpoint: 'none',
  clientId: undefined,
  verified: false,
  address: () => '',
  paymentId: undefined,
  seconds: 0,
} as const

/**
 * The largest body (bytes): an order with every field at its longest is below 20 KiB; PROTOCOL.md
 * allows 64 KiB.
 */
const BODY_BYTES_MAX = 65_536

/** The public server: it answers every request with HTTP 200, signed, in the protocol's words. */
export function buildServer(deps: ServerDeps): FastifyInstance {
  const isTrusted = inRanges(deps.trustProxy)
  const { exchanges } = deps
  const app = Fastify({
    // We log one line for each answer; a child logger for each request would cost more.
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    exposeHeadRoutes: false,
    trustProxy: (hop) => isTrusted(addressIn(hop)),
    // The listener sends a signed answer; Fastify would send its own first.
    clientErrorHandler: () => {},
    frameworkErrors: (_error, request, reply) => refuseTarget(request, reply, deps),
    serverFactory: (handler) =>
      createListener(handler, {
        signer: deps.signer,
        waitMs: deps.use.waitMs,
        tls: deps.tls,
        connections: deps.connections,
        exchanges,
        onNonHttp: (code, reason) => deps.onAnswer({ ...notHttp, code, reason }),
        onTlsError: (err) => deps.log.debug({ err }, 'TLS handshake with a caller failed'),
      }),
  })
  app.decorateRequest('state')
  app.addHook('onRequest', (request, _reply, done) => {
    request.state = newRequestState(deps.use.waitMs)
    // Before its body is read: the path comes first, whatever the body.
    if (request.is404) throw noEndpoint(request, deps)
    done()
  })
  answerInProtocol(app, deps)
  addEndpoints(app, deps)
  return app
}

/** Every reply, of a handler or an error, is sent as HTTP 200 with our signature. */
function answerInProtocol(app: FastifyInstance, deps: ServerDeps): void {
  app.setErrorHandler(async (error, request) => {
    const code = codeOf(error)
    const { state } = request
    if (code === 'UNKNOWN_EXCEPTION')
      deps.log.error(
        { paymentId: state.paymentId, err: error },
        'the request failed with an unexpected error',
      )
    else state.reason = messageOf(error)
    return sharedAnswer(request, code)
  })
  app.addHook('onSend', (request, reply, payload, done) => {
    signReply(request, reply, String(payload), deps).then((text) => {
      // Without `done` Fastify writes nothing.
      if (text === undefined) deps.exchanges.closeInstead(reply.raw)
      else done(null, text)
    }, done)
  })
}

/** Why there is no endpoint for a request. */
function noEndpoint(request: FastifyRequest, { paths }: ServerDeps): Refusal {
  const [path] = requestTarget(request).split('?')
  const known = path === paths.placeOrder || path === paths.inquireOrder
  return known
    ? new Refusal('METHOD_NOT_SUPPORTED', 'it is not a POST')
    : new Refusal('NO_INTERFACE_DEF', 'there is no endpoint at this path')
}

/**
 * Answers a request whose target the router cannot decode, such as `/%zz`: Fastify runs no hook for
 * it.
 */
function refuseTarget(request: FastifyRequest, reply: FastifyReply, deps: ServerDeps): void {
  const { exchanges } = deps
  request.state = { ...newRequestState(deps.use.waitMs), reason: 'its path cannot be decoded' }
  signReply(request, reply, sharedAnswer(request, 'NO_INTERFACE_DEF'), deps)
    .then((text) => {
      if (text === undefined) exchanges.closeInstead(reply.raw)
      else reply.send(text)
    })
    .catch(() => exchanges.closeInstead(reply.raw))
}

/** The protocol's two endpoints, behind the same hooks, so that no request bypasses them. */
function addEndpoints(app: FastifyInstance, deps: ServerDeps): void {
  app.register(async (endpoints) => {
    endpoints.removeAllContentTypeParsers()
    endpoints.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    )
    endpoints.addHook('onRequest', ({ state, routeOptions, headers }, _reply, done) => {
      state.endpoint = routeOptions.url === deps.paths.placeOrder ? 'place' : 'inquire'
      checkMedia(headers['content-type'], headers.accept)
      headers['content-type'] = 'application/json' // It is JSON, whichever of its names was sent.
      done()
    })
    endpoints.addHook('preValidation', (request, _reply, done) => {
      const { state } = request
      const startedAt = performance.now()
      state.deadlineAt = startedAt + deps.use.waitMs // Receiving its body may have taken long.
      try {
        state.client = verifyRequest(
          {
            target: requestTarget(request),
            rawHeaders: request.raw.rawHeaders,
            body: bodyOf(request),
          },
          { clients: deps.clients(), requestTimeToleranceMs: deps.requestTimeToleranceMs },
        )
        state.rank = 'known'
      } finally {
        deps.stage('verify', (performance.now() - startedAt) / 1000)
      }
      done()
    })
    endpoints.post(deps.paths.placeOrder, async (request) => {
      const { state } = request
      const order = parseBody(PlaceOrderRequest, bodyOf(request))
      const client = clientOf(request, order)
      state.span = deps.tracing.startSpan('place order', {
        startedAt: Date.now() - (performance.now() - state.arrivedAt),
        attributes: { paymentId: order.paymentId, clientId: client.clientId },
      })
      state.reason =
        deps.admission.reasonToRefuse('place', client) ?? (await deps.newOrders.refusalOf(order))
      if (state.reason !== undefined) return sharedAnswer(request, 'REQUEST_TRAFFIC_EXCEED_LIMIT')
      state.rank = 'order'
      state.release = deps.admission.admit('place', client)
      const incoming = { order, clientId: client.clientId, trace: state.span.traceparent }
      const onLikelyAnswer = (expected: PlaceOrderAnswer) => prepareReply(request, expected, deps)
      const placed = await placeOrder(incoming, deps.use, onLikelyAnswer)
      state.code = placed.result.resultCode
      state.shareable = (placed.paymentRequestId ?? placed.passThroughInfo) === undefined
      return JSON.stringify(placed)
    })
    endpoints.post(deps.paths.inquireOrder, async (request) => {
      const { state } = request
      const inquiry = parseBody(InquiryOrderRequest, bodyOf(request))
      const client = clientOf(request, inquiry)
      state.reason = deps.admission.reasonToRefuse('inquire', client)
      if (state.reason !== undefined) return sharedAnswer(request, 'REQUEST_TRAFFIC_EXCEED_LIMIT')
      state.release = deps.admission.admit('inquire', client)
      const found = await inquireOrder(inquiry, deps.use)
      state.code = found.result.resultCode
      state.shareable = false
      return JSON.stringify(found)
    })
  })
}

/** The client of this request, if it may act for this acquirer. */
function clientOf(request: FastifyRequest, ids: { acquirerId: string; paymentId: string }): Client {
  const { state } = request
  state.paymentId = ids.paymentId
  if (state.client === undefined)
    throw new Error('a request reached an endpoint without being verified')
  authorize(state.client, ids.acquirerId, addressIn(request.ip))
  return state.client
}

/** The result code for an exception. Fastify's own errors below 500 are the caller's fault. */
function codeOf(error: unknown): ResultCode {
  if (error instanceof Refusal) return error.code
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : 500
  return typeof status === 'number' && status < 500 ? 'PARAM_ILLEGAL' : 'UNKNOWN_EXCEPTION'
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)
const bodyOf = (request: FastifyRequest): Buffer =>
  Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
