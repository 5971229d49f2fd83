import { hash } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { Agent, type Dispatcher, request } from 'undici'
import type { OrderEvent } from '../event.ts'
import type { SinkEntry } from '../sinks-file.ts'
import { checkedLookup, type Resolve } from './endpoint.ts'
import { reasonOf, SEND_MS_MAX, type Sent, type Sink } from './sent.ts'

/** Of an answer so much is read (bytes), so that its connection can be used again. */
const ANSWER_BYTES_MAX = 16_384
/** And for so long (ms): its status has said everything. */
const ANSWER_MS_MAX = 1_000

/** Sendings of one event each take turns at an endpoint; those of batches grow when few. */
const CONCURRENCY = { single: 16, batch: 4 } as const

const CONNECTIONS_MAX = 64

/** The most that `Retry-After` may ask for (ms): an endpoint cannot silence itself for days. */
const RETRY_AFTER_MS_MAX = 3_600_000

export type WebhookOptions = {
  /** How long one sending may take (ms). */
  sendMsMax?: number
  resolve?: Resolve
}

/** A sink that posts events to a URL, signed as Standard Webhooks 1.0. */
export function openWebhook(
  entry: Extract<SinkEntry, { type: 'webhook' }>,
  { sendMsMax = SEND_MS_MAX, resolve }: WebhookOptions = {},
): Sink {
  const { url, batch, allowPrivate } = entry
  const signers = entry.secrets.map((secret) => new Webhook(secret))
  const agent = new Agent({
    connections: CONNECTIONS_MAX,
    allowH2: false,
    connect: { lookup: checkedLookup(url, allowPrivate, resolve), timeout: sendMsMax },
  })
  return {
    batch,
    concurrency: batch > 1 ? CONCURRENCY.batch : CONCURRENCY.single,
    send: async (events) => {
      const message = messageOf(events, batch > 1)
      try {
        const signal = AbortSignal.timeout(sendMsMax)
        return await post(url, { ...message, ...signed(message, signers) }, { agent, signal })
      } catch (error) {
        return { kind: 'failed', endpoint: true, reason: reasonOf(error) }
      }
    },
    close: () => agent.destroy(),
  }
}

type Message = { id: string; body: string; contentType: string }

/** One event, or several as a batch of CloudEvents. The id of a batch is that of its events. */
function messageOf(events: readonly OrderEvent[], asBatch: boolean): Message {
  const [first] = events
  if (!asBatch && first !== undefined && events.length === 1)
    return {
      id: first.id,
      body: JSON.stringify(first),
      contentType: 'application/cloudevents+json; charset=UTF-8',
    }
  const ids = JSON.stringify(events.map(({ id }) => id))
  return {
    id: `batch_${hash('sha256', ids, 'base64url').slice(0, 22)}`,
    body: JSON.stringify(events),
    contentType: 'application/cloudevents-batch+json; charset=UTF-8',
  }
}

/** Each attempt has its own time: receivers refuse what is too old. */
function signed({ id, body }: Message, signers: Webhook[]) {
  const at = new Date()
  return {
    timestamp: String(Math.floor(at.getTime() / 1000)),
    signature: signers.map((signer) => signer.sign(id, at, body)).join(' '),
  }
}

async function post(
  url: string,
  message: Message & { timestamp: string; signature: string },
  { agent, signal }: { agent: Dispatcher; signal: AbortSignal },
): Promise<Sent> {
  const { statusCode, headers, body } = await request(url, {
    method: 'POST',
    headers: {
      'content-type': message.contentType,
      'user-agent': 'placeorder',
      'webhook-id': message.id,
      'webhook-timestamp': message.timestamp,
      'webhook-signature': message.signature,
    },
    body: message.body,
    signal,
    dispatcher: agent,
  })
  // What is longer, or slower, ends its connection.
  const late = AbortSignal.timeout(ANSWER_MS_MAX)
  await body.dump({ limit: ANSWER_BYTES_MAX, signal: late }).catch(() => {})
  return answered(statusCode, headers['retry-after'])
}

/** What a status means. */
export function answered(status: number, retryAfter?: string | string[] | undefined): Sent {
  if (status >= 200 && status < 300) return { kind: 'delivered' }
  const reason = `it answered HTTP ${status}`
  if (status === 410) return { kind: 'gone', reason }
  // A redirect is not followed: it would lead to an address that nobody has configured.
  const endpoint = status < 400 || status >= 500 || status === 408 || status === 429
  const retryAfterMs = endpoint ? retryAfterOf(String(retryAfter ?? '')) : undefined
  return { kind: 'failed', endpoint, reason, ...(retryAfterMs ? { retryAfterMs } : {}) }
}

/** Seconds, or a date (RFC 9110); undefined for anything else. */
function retryAfterOf(text: string): number | undefined {
  const ms = /^\d{1,9}$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), RETRY_AFTER_MS_MAX)
}
