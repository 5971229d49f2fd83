import { once } from 'node:events'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { z } from 'zod'

/** A batch is 100 events of a few KiB; what is longer (bytes) is refused. */
const BODY_BYTES_MAX = 4 * 2 ** 20

/** The part of an event that is looked at; the rest is printed as it came. */
const Event = z.looseObject({
  specversion: z.literal('1.0'),
  id: z.string().min(1),
  type: z.string(),
  source: z.string(),
  subject: z.string().optional(),
  data: z.looseObject({ result: z.looseObject({ resultCode: z.string() }) }).optional(),
})
export type Event = z.output<typeof Event>

/** How a request is answered that should fail. */
export type Failure = { kind: 'HANG' } | { kind: 'ANSWER'; status: number; retryAfter?: string }

/** One request, and how it was answered. */
export type Delivery = {
  /** `HUNG`: it was not answered at all. */
  answered: number | 'HUNG'
  /** It was answered 2xx, so that its events count as delivered. */
  isTaken: boolean
  /** What is wrong with it: its signature, its time, or its body. */
  fault?: string
  isBatch: boolean
  /**
   * None of a request with a fault: it may be anybody's. A repeat is one that was taken before.
   */
  events: { event: Event; isRepeat: boolean }[]
}

export type ReceiverOptions = {
  port: number
  secret: string
  /** How the first `times` requests fail. */
  failure?: { how: Failure; times: number } | undefined
  onDelivery: (delivery: Delivery) => void
}

export type Receiver = { url: string; close: () => Promise<void> }

/**
 * Starts a receiver of webhooks on 127.0.0.1: it verifies what comes as Standard Webhooks 1.0 says,
 * and answers 200, or 401 and 400 to what is not signed and not readable.
 *
 * @throws when it cannot listen on the port
 */
export async function openReceiver(options: ReceiverOptions): Promise<Receiver> {
  const webhook = new Webhook(options.secret)
  const taken = new Set<string>()
  let requests = 0
  const listener: RequestListener = async (request, response) => {
    const body = await bodyOf(request).catch(() => undefined)
    if (body === undefined) return void request.socket.destroy()
    requests += 1
    const read = readMessage(webhook, request, body)
    const { failure } = options
    const how = failure !== undefined && requests <= failure.times ? failure.how : undefined
    const answered = answer(response, how, read.status)
    const isTaken = answered !== 'HUNG' && answered < 300
    const events = read.events.map((event) => {
      const isRepeat = taken.has(event.id)
      if (isTaken) taken.add(event.id)
      return { event, isRepeat }
    })
    const fault = read.fault === undefined ? {} : { fault: read.fault }
    options.onDelivery({ answered, isTaken, ...fault, isBatch: read.isBatch, events })
  }
  const server = createServer(listener).listen(options.port, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    close: async () => {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function answer(
  response: ServerResponse,
  failure: Failure | undefined,
  status: number,
): number | 'HUNG' {
  if (failure?.kind === 'HANG') return 'HUNG'
  if (failure?.retryAfter !== undefined) response.setHeader('retry-after', failure.retryAfter)
  const answered = failure?.status ?? status
  response.writeHead(answered).end()
  return answered
}

type Read = { status: number; fault?: string; isBatch: boolean; events: Event[] }

/** Verifies a request, and only then parses it. */
function readMessage(webhook: Webhook, { headers }: IncomingMessage, body: Buffer): Read {
  const isBatch = /^application\/cloudevents-batch\+json\b/i.test(headers['content-type'] ?? '')
  const faulty = (status: number, fault: string) => ({ status, fault, isBatch, events: [] })
  const given = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, String(value)]),
  )
  try {
    webhook.verify(body, given, { jsonParse: false })
  } catch (error) {
    return faulty(401, error instanceof Error ? error.message : String(error))
  }
  try {
    const content: unknown = JSON.parse(body.toString())
    const events = isBatch ? z.array(z.unknown()).parse(content) : [content]
    return { status: 200, isBatch, events: events.map(asItCame) }
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : String(error)
    return faulty(400, `is not ${isBatch ? 'a batch of CloudEvents' : 'a CloudEvent'}: ${reason}`)
  }
}

/** Zod would put the fields in another order. */
function asItCame(content: unknown): Event {
  Event.parse(content)
  return content as Event
}

/** @throws when it is too long, or its connection ends before it does */
async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request) {
    parts.push(part)
    bytes += part.length
    if (bytes > BODY_BYTES_MAX) throw new Error('the body is too long')
  }
  return Buffer.concat(parts)
}
