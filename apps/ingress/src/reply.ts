import { answer, isResultCode, type ResultCode, statusOf } from '@placeorder/protocol'
import type { Metrics, TraceSpan } from '@placeorder/telemetry'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { addresseeOf } from './addressee.ts'
import type { Client, Clients } from './clients.ts'
import { addressIn } from './connection/addresses.ts'
import type { AnswerHeaders, AnswerToSign, ExpectedAnswer, Signer } from './signing/signer.ts'
import { type Rank, SigningTimeout } from './signing/signing-queue.ts'

export type Endpoint = 'place' | 'inquire' | 'none'

/** An answer as it left, for the operator. `seconds` is from the arrival of the request's headers to its signature. */
export type SentAnswer = {
  endpoint: Endpoint
  code: string
  /** The client the request names, if there is such a one; whether it was that client, `code` says. */
  clientId: string | undefined
  /** Whether it was that client: its signature was good. */
  verified: boolean
  /** From where it came. */
  address: () => string
  paymentId: string | undefined
  /** Why it was refused at the endpoint. */
  reason: string | undefined
  seconds: number
}

export type ReplyDeps = {
  clients: () => Clients
  signer: Signer
  onAnswer: (answered: SentAnswer) => void
  stage: Metrics['stage']
  /** True once the process is to end: callers are then told to come back on another connection. */
  draining: () => boolean
}

/** What became known of a request on its way. */
export type RequestState = {
  arrivedAt: number
  /** By when its answer is to be signed, of performance.now. */
  deadlineAt: number
  /** Who sent it, once that is verified. */
  client?: Client
  endpoint: Endpoint
  code: string
  paymentId?: string
  reason?: string | undefined
  /** The order's way from its arrival to its signed answer. */
  span?: TraceSpan
  /** Ends what admission holds for it, once its answer is signed: whether it was served. */
  release?: (served: boolean) => void
  /** How soon its answer is signed. */
  rank: Rank
  shareable: boolean
  /** What its answer will be, most likely; signed meanwhile. */
  expected?: ExpectedAnswer
}

declare module 'fastify' {
  interface FastifyRequest {
    state: RequestState
  }
}

/** What is known of a request of which nothing is known but that it came. */
export const newRequestState = (waitMs: number): RequestState => ({
  arrivedAt: performance.now(),
  deadlineAt: performance.now() + waitMs,
  endpoint: 'none',
  code: 'UNKNOWN_EXCEPTION',
  rank: 'stranger',
  shareable: true,
})

/** An answer that says the same to everybody. */
export function sharedAnswer({ state }: FastifyRequest, code: ResultCode): string {
  state.code = code
  state.shareable = true
  return JSON.stringify(answer(code))
}

/** Path and query as received. What is before them in a target in absolute form (`http://host/path`) is not signed. */
export function requestTarget({ raw: { url = '/' } }: FastifyRequest): string {
  return url.startsWith('/') ? url : url.replace(/^\w+:\/\/[^/?#]*/, '') || '/'
}

/**
 * Makes a reply ours and reports it; gives its body, left as a string: Node then sends it in one piece with the headers.
 * Undefined headers mean that a stranger's answer could not be signed in time: its connection is closed.
 */
export async function signReply(
  request: FastifyRequest,
  reply: FastifyReply,
  text: string,
  deps: ReplyDeps,
): Promise<string> {
  const { clients, onAnswer, stage, draining } = deps
  const { state } = request
  const signingAt = performance.now()
  const signed = await signedInTime(request, text, deps).finally(() =>
    state.release?.(!isResultCode(state.code) || statusOf[state.code] !== 'U'),
  )
  if (signed === undefined) {
    reply.raw.destroy()
    return text
  }
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

/** The headers of an answer that is like no other, and begins to be signed before it is known to be the one. */
export function prepareReply(request: FastifyRequest, expected: object, deps: ReplyDeps): void {
  const to = toSign(request, JSON.stringify(expected), deps)
  request.state.expected = deps.signer.prepare({ ...to, shareable: false }, turnOf(request))
}

type Signed = { text: string; headers: AnswerHeaders }

/**
 * An answer with its headers. One that waits for its signature for too long gives way to the U that many share; one that
 * many share is awaited. A stranger gets none: only its connection may be closed instead of an answer (P4).
 */
async function signedInTime(
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
    const code = state.endpoint === 'place' ? 'PAYMENT_IN_PROCESS' : 'REQUEST_TRAFFIC_EXCEED_LIMIT'
    const instead = sharedAnswer(request, code)
    return { text: instead, headers: await headersOf(request, instead, deps) }
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

/** The answers of one client to orders, to inquiries and its refusals are flows of their own. */
function turnOf({ state }: FastifyRequest) {
  const { rank, client, shareable, deadlineAt } = state
  return { rank, flow: `${client?.clientId ?? ''} ${shareable}`, deadlineAt }
}
