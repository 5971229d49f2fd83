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
  /** Whose X-Forwarded-For is believed: the load balancer's addresses. */
  trustProxy: readonly string[]
  tls: TlsOptions | undefined
  connections: Connections
}

/** Whose answer it is when what came is no HTTP. */
const nobody = {
  endpoint: 'none',
  clientId: undefined,
  verified: false,
  address: () => '',
  paymentId: undefined,
  seconds: 0,
} as const

/** The largest body (bytes): an order with every field at its longest is below 20 KiB, PROTOCOL.md grants 64 KiB. */
const BODY_BYTES_MAX = 65_536

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
        waitMs: deps.use.waitMs,
        tls: deps.tls,
        connections: deps.connections,
        onNonHttp: (code, reason) => deps.onAnswer({ ...nobody, code, reason }),
        onTlsError: (err) => deps.log.debug({ err }, 'a caller and we did not come to speak TLS'),
      }),
  })
  app.decorateRequest('state')
  app.addHook('onRequest', (request, _reply, done) => {
    request.state = newRequestState(deps.use.waitMs)
    if (request.is404) throw noEndpoint(request, deps) // Before its body is read: whatever that is, the path comes first.
    done()
  })
  answerInTheProtocolsWords(app, deps)
  addEndpoints(app, deps)
  return app
}

/** Whatever is sent, by a handler or by an error, leaves as HTTP 200 with our signature. */
function answerInTheProtocolsWords(app: FastifyInstance, deps: ServerDeps): void {
  app.setErrorHandler(async (error, request) => {
    const code = codeOf(error)
    const { state } = request
    if (code === 'UNKNOWN_EXCEPTION')
      deps.log.error({ paymentId: state.paymentId, err: error }, 'an answer could not be made')
    else state.reason = messageOf(error)
    return sharedAnswer(request, code)
  })
  app.addHook('onSend', (request, reply, payload) =>
    signReply(request, reply, String(payload), deps),
  )
}

/** Why no endpoint was found for a request. */
function noEndpoint(request: FastifyRequest, { paths }: ServerDeps): Refusal {
  const [path] = requestTarget(request).split('?')
  const known = path === paths.placeOrder || path === paths.inquireOrder
  return known
    ? new Refusal('METHOD_NOT_SUPPORTED', 'it is not a POST')
    : new Refusal('NO_INTERFACE_DEF', 'nothing is at this path')
}

/** Answers a request whose target the router cannot read, such as `/%zz`: Fastify runs no hook for it. */
function refuseTarget(request: FastifyRequest, reply: FastifyReply, deps: ServerDeps): void {
  request.state = { ...newRequestState(deps.use.waitMs), reason: 'its path cannot be decoded' }
  signReply(request, reply, sharedAnswer(request, 'NO_INTERFACE_DEF'), deps)
    .then((text) => void reply.send(text))
    .catch(() => reply.raw.destroy())
}

/** The protocol's two endpoints. Both stand behind the same hooks, so that no request gets around them. */
function addEndpoints(app: FastifyInstance, deps: ServerDeps): void {
  app.register(async (endpoints) => {
    endpoints.removeAllContentTypeParsers()
    endpoints.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    )
    endpoints.addHook('onRequest', ({ state, routeOptions, headers }, _reply, done) => {
      state.endpoint = routeOptions.url === deps.paths.placeOrder ? 'place' : 'inquire'
      checkMedia(headers['content-type'], headers.accept)
      headers['content-type'] = 'application/json' // It is, in whichever of many ways it was said.
      done()
    })
    endpoints.addHook('preValidation', (request, _reply, done) => {
      const { state } = request
      const startedAt = performance.now()
      state.deadlineAt = startedAt + deps.use.waitMs // Its body may have been long on its way.
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
      state.release = deps.admission.take('place', client)
      const incoming = { order, clientId: client.clientId, trace: state.span.traceparent }
      const expecting = (expected: PlaceOrderAnswer) => prepareReply(request, expected, deps)
      const placed = await placeOrder(incoming, deps.use, expecting)
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
      state.release = deps.admission.take('inquire', client)
      const told = await inquireOrder(inquiry, deps.use)
      state.code = told.result.resultCode
      state.shareable = false
      return JSON.stringify(told)
    })
  })
}

/** Who sent this request, if that client may ask for this acquirer. */
function clientOf(
  request: FastifyRequest,
  asked: { acquirerId: string; paymentId: string },
): Client {
  const { state } = request
  state.paymentId = asked.paymentId
  if (state.client === undefined)
    throw new Error('a request came to a endpoint without being verified')
  authorize(state.client, asked.acquirerId, addressIn(request.ip))
  return state.client
}

/** What a thrown error is in the protocol's words. Fastify's own errors below 500 are the sender's fault. */
function codeOf(error: unknown): ResultCode {
  if (error instanceof Refusal) return error.code
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : 500
  return typeof status === 'number' && status < 500 ? 'PARAM_ILLEGAL' : 'UNKNOWN_EXCEPTION'
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)
const bodyOf = (request: FastifyRequest): Buffer =>
  Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
