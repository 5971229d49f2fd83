import { answer, isResultCode, type ResultCode, statusOf } from '@placeorder/protocol'
import type { Metrics, TraceSpan } from '@placeorder/telemetry'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { addresseeOf } from './addressee.ts'
import type { Client, Clients } from './clients.ts'
import { addressIn } from './connection/addresses.ts'
import type { AnswerHeaders, AnswerToSign, ExpectedAnswer, Signer } from './signing/signer.ts'
import { type Rank, SigningTimeout } from './signing/signing-queue.ts'

export type Endpoint = 'place' | 'inquire' | 'none'

/**
 * An answer that was sent, for log and metrics. `seconds` is from the request's headers to the
 * signed answer.
 */
export type SentAnswer = {
  endpoint: Endpoint
  code: string
  /**
   * The client that the request names, if it is known; `verified` says whether it was that client.
   */
  clientId: string | undefined
  /** Whether its signature was good. */
  verified: boolean
  /** The address of the caller. */
  address: () => string
  paymentId: string | undefined
  /** Why it was refused before it became an order. */
  reason: string | undefined
  seconds: number
}

export type ReplyDeps = {
  clients: () => Clients
  signer: Signer
  onAnswer: (answered: SentAnswer) => void
  stage: Metrics['stage']
  /** True once the process is shutting down: callers are asked to close their connections. */
  draining: () => boolean
}

/** The state of a request on its way through the server. */
export type RequestState = {
  arrivedAt: number
  /** When its answer must be signed, of performance.now. */
  deadlineAt: number
  /** The client that sent it, once verified. */
  client?: Client
  endpoint: Endpoint
  code: string
  paymentId?: string
  reason?: string | undefined
  /** The order's span, from arrival to signed answer. */
  span?: TraceSpan
  /** Releases it from admission once its answer is signed; takes whether it was served. */
  release?: (served: boolean) => void
  /** The priority of signing its answer. */
  rank: Rank
  shareable: boolean
  /** The most likely answer, which is signed ahead. */
  expected?: ExpectedAnswer
}

declare module 'fastify' {
  interface FastifyRequest {
    state: RequestState
  }
}

/** The state of a request that has just arrived. */
export const newRequestState = (waitMs: number): RequestState => ({
  arrivedAt: performance.now(),
  deadlineAt: performance.now() + waitMs,
  endpoint: 'none',
  code: 'UNKNOWN_EXCEPTION',
  rank: 'stranger',
  shareable: true,
})

/** An answer with this code alone, which is the same for everybody. */
export function sharedAnswer({ state }: FastifyRequest, code: ResultCode): string {
  state.code = code
  state.shareable = true
  return JSON.stringify(answer(code))
}

/**
 * Path and query as received. The origin in a target in absolute form (`http://host/path`) is not
 * signed.
 */
export function requestTarget({ raw: { url = '/' } }: FastifyRequest): string {
  return url.startsWith('/') ? url : url.replace(/^\w+:\/\/[^/?#]*/, '') || '/'
}

/**
 * Signs a reply and reports it. Returns its body, as a string: Node then sends it in one piece with
 * the headers. Undefined if a stranger's answer could not be signed in time: it gets none.
 */
export async function signReply(
  request: FastifyRequest,
  reply: FastifyReply,
  text: string,
  deps: ReplyDeps,
): Promise<string | undefined> {
  const { clients, onAnswer, stage, draining } = deps
  const { state } = request
  const signingAt = performance.now()
  const signed = await signByDeadline(request, text, deps).finally(() =>
    state.release?.(!isResultCode(state.code) || statusOf[state.code] !== 'U'),
  )
  if (signed === undefined) return undefined
  reply.code(200).headers({ 'content-type': 'application/json; charset=UTF-8', ...signed.headers })
  if (draining()) reply.header('connection', 'close')
  state.span?.end({ attributes: { resultCode: state.code } })
  const now = performance.now()
  stage('sign', (now - signingAt) / 1000)
  const seconds = (now - state.arrivedAt) / 1000
  const { endpoint, code, paymentId, reason, client } = state
  const { clientId } = clients().get(signed.headers['client-id']) ?? {}
  const from = { verified: client !== undefined, address: () => addressIn(request.ip) }
  onAnswer({ endpoint, code, clientId, paymentId, reason, seconds, ...from })
  return signed.text
}

/** Begins to sign the likely answer before it is known to be the answer. */
export function prepareReply(request: FastifyRequest, expected: object, deps: ReplyDeps): void {
  const to = toSign(request, JSON.stringify(expected), deps)
  request.state.expected = deps.signer.prepare({ ...to, shareable: false }, turnOf(request))
}

type Signed = { text: string; headers: AnswerHeaders }

/**
 * An answer with its headers. If an answer of its own is not signed by its deadline, the U that
 * many share replaces it; a shared answer is awaited. A stranger gets none: only its connection may
 * be closed instead of an answer (P4).
 */
async function signByDeadline(
  request: FastifyRequest,
  text: string,
  deps: ReplyDeps,
): Promise<Signed | undefined> {
  const { state } = request
  try {
    return { text, headers: await headersOf(request, text, deps) }
  } catch (error) {
    if (!(error instanceof SigningTimeout)) throw error
    if (state.client === undefined) return undefined
    state.deadlineAt = Number.POSITIVE_INFINITY
    if (state.shareable) return { text, headers: await headersOf(request, text, deps) }
    state.reason = error.message
    // This contradicts no answer: the order may have ended, or be another than the caller thinks.
    const code = state.endpoint === 'place' ? 'UNKNOWN_EXCEPTION' : 'REQUEST_TRAFFIC_EXCEED_LIMIT'
    const replacement = sharedAnswer(request, code)
    return { text: replacement, headers: await headersOf(request, replacement, deps) }
  }
}

const headersOf = (
  request: FastifyRequest,
  text: string,
  deps: ReplyDeps,
): Promise<AnswerHeaders> =>
  deps.signer.headersFor(toSign(request, text, deps), turnOf(request), request.state.expected)

const toSign = (request: FastifyRequest, text: string, { clients }: ReplyDeps): AnswerToSign => ({
  ...addresseeOf(requestTarget(request), request.headers['client-id']?.toString(), clients()),
  body: Buffer.from(text),
  shareable: request.state.shareable,
})

/** A client's own answers and its shared ones are separate flows. */
function turnOf({ state }: FastifyRequest) {
  const { rank, client, shareable, deadlineAt } = state
  return { rank, flow: `${client?.clientId ?? ''} ${shareable}`, deadlineAt }
}
