import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as wait } from 'node:timers/promises'
import type { OrderEvent } from '@placeorder/events'
import { Webhook } from 'standardwebhooks'
import { SentEvents } from './sent-events.ts'

/**
 * Answers request number `n`. Resolves with whether its events are taken: whoever has not got a 2xx
 * must send them again.
 */
type Answer = (response: ServerResponse, n: number) => boolean | Promise<boolean>

const FAILURES = [500, 502, 503, 408]
/** An answer is late by so much (ms): less than a notifier waits, 15 s. */
const LATE_MS = [300, 1_000, 3_000]

/** How a receiver treats requests. */
const answers = {
  takes: (response) => {
    response.writeHead(204).end()
    return true
  },
  fails: (response, n) => {
    response.writeHead(FAILURES[n % FAILURES.length] ?? 500).end()
    return false
  },
  refuses: (response) => {
    response.writeHead(404).end()
    return false
  },
  asksForTime: (response) => {
    response.writeHead(429, { 'retry-after': '1' }).end()
    return false
  },
  hangs: () => false,
  isLate: async (response, n) => {
    await wait(LATE_MS[n % LATE_MS.length])
    response.writeHead(200).end('{}')
    return true
  },
  breaksOff: (response, n) => {
    const { socket } = response
    if (n % 2 === 0) socket?.end('HTTP/1.1 20')
    else response.writeHead(200, { 'content-length': 100 }).write('{', () => socket?.destroy())
    return n % 2 === 1
  },
  hangsUp: (response) => {
    response.socket?.destroy()
    return false
  },
} satisfies Record<string, Answer>
export type Behaviour = keyof typeof answers

/** A receiver of webhooks that verifies what it is sent with the reference library. */
export class Receiver {
  readonly name: string
  readonly sent: SentEvents
  readonly #webhook: Webhook
  readonly #server: Server
  #behaviour: Behaviour = 'takes'
  #requests = 0

  private constructor(name: string, secret: string) {
    this.name = name
    this.sent = new SentEvents(name)
    this.#webhook = new Webhook(secret)
    this.#server = createServer((request, response) => void this.#receive(request, response))
  }

  static async open(name: string, secret: string): Promise<Receiver> {
    const receiver = new Receiver(name, secret)
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve))
    return receiver
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }

  /** Treats requests in this way from now on. */
  behave(behaviour: Behaviour): void {
    if (this.#behaviour === 'hangs') this.#server.closeAllConnections()
    this.#behaviour = behaviour
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request).catch(() => undefined)
    if (body === undefined) return // Whoever sent it was killed.
    const events = this.#verified(request.headers as Record<string, string>, body)
    if (events === undefined) return void response.writeHead(400).end()
    this.sent.note(events, false)
    this.#requests += 1
    if (await answers[this.#behaviour](response, this.#requests)) this.sent.note(events, true)
  }

  /** The events of a request; undefined if they are not to be trusted. */
  #verified(headers: Record<string, string>, body: string): OrderEvent[] | undefined {
    try {
      this.#webhook.verify(body, headers, { jsonParse: false })
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      // The clock of a notifier may be wrong, but not its signature.
      if (!why.startsWith('Message timestamp too')) this.sent.noteUnverified(why)
      return undefined
    }
    return this.sent.parse(body)
  }
}
