import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/**
 * How long (ms) a connection is still read after we have ended it: its caller may still be sending.
 */
const LINGER_MS = 1_000

/**
 * Requests of one connection that are handled at a time. A caller that waits for each answer has
 * one.
 */
const HANDLED_MAX = 32

/**
 * With more requests being handled, the connection is paused. What was read by then is 128 KiB at
 * most, and a signed request has more than 512 bytes: past this number in flight they are not
 * requests of a client, and each costs us a hundred times its bytes, so the connection is closed.
 */
const IN_FLIGHT_MAX = HANDLED_MAX + 256

/** The requests in flight on all connections of a server. */
class RequestsInFlight {
  readonly #responses = new Set<ServerResponse>()
  #onLeft = () => {}

  add(response: ServerResponse): void {
    this.#responses.add(response)
  }

  delete(response: ServerResponse): void {
    this.#responses.delete(response)
    this.#onLeft()
  }

  /** Resolves once each request that has arrived as a whole is answered, or its caller has left. */
  async answered(): Promise<void> {
    const isOver = () => [...this.#responses].every(({ req }) => !req.complete)
    while (!isOver()) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#onLeft = resolve
      await promise
    }
  }
}

/**
 * The requests in flight on one connection. Node answers the requests it can parse, in order. What
 * leaves HTTP (a `CONNECT`, bytes that are not a request) is answered after all of them and ends
 * the connection.
 */
class Exchange {
  readonly #socket: Duplex
  readonly #all: RequestsInFlight
  readonly #inFlight = new Set<ServerResponse>()
  readonly #waiting: (() => void)[] = []
  readonly #unanswered = new Set<ServerResponse>()
  #last: ServerResponse | undefined
  #ending = false
  #drained = () => {}

  constructor(socket: Duplex, all: RequestsInFlight) {
    this.#socket = socket
    this.#all = all
    // Node resumes reading after every complete request, even if we paused the socket.
    socket.on('resume', () => {
      if (this.#waiting.length > 0) socket.pause()
    })
  }

  /**
   * Counts a request until its answer has been sent, and handles it: now, or after others are done.
   */
  begin(response: ServerResponse, handle: () => void): void {
    if (this.#ending || this.#socket.destroyed) return // An answer would reach nobody.
    if (this.#inFlight.size >= IN_FLIGHT_MAX) {
      this.#socket.destroy()
      return
    }
    this.#last = response
    this.#inFlight.add(response)
    this.#all.add(response)
    response.once('close', () => this.#left(response))
    if (this.#inFlight.size <= HANDLED_MAX) handle()
    else {
      this.#socket.pause()
      this.#waiting.push(handle)
    }
  }

  #left(response: ServerResponse): void {
    this.#inFlight.delete(response)
    this.#all.delete(response)
    if (this.#waiting.length > 0 && !this.#socket.destroyed) {
      this.#waiting.shift()?.()
      if (this.#waiting.length === 0) this.#socket.resume()
    }
    if (this.#ending && this.#isDrained()) this.#drained()
    this.#closeIfDue()
  }

  /** Closes the connection instead of this answer, after the answers before it. */
  closeInstead(response: ServerResponse): void {
    this.#unanswered.add(response)
    this.#closeIfDue()
  }

  #closeIfDue(): void {
    const [next] = this.#inFlight
    if (next !== undefined && this.#unanswered.has(next)) this.#socket.destroy()
  }

  /**
   * Ends the connection once every complete request is answered, with an answer to the bytes after
   * them. `answer` gets the last request that began: the bytes are broken, or belong to its body.
   */
  async end(answer: (last: IncomingMessage | undefined) => Promise<Buffer>): Promise<void> {
    if (this.#ending || !this.#socket.writable) return
    this.#ending = true
    const broken = this.#last?.req.complete === false ? this.#last : undefined
    // Node does not expect an answer here: when the caller closes its half, it would close ours.
    this.#socket.removeAllListeners('end')
    // Whatever is still sent is read and discarded: closing with unread bytes resets the
    // connection.
    this.#socket.resume()
    await this.#answered()
    if (!this.#socket.writable) return
    const bytes = await answer(this.#last?.req)
    // A request with a broken body may have been answered by its headers: one request, one answer.
    this.#socket.end(broken?.writableEnded ? undefined : bytes)
    const timer = setTimeout(() => this.#socket.destroy(), LINGER_MS)
    this.#socket.once('close', () => clearTimeout(timer))
  }

  /** Whether nothing is in flight except a request with an incomplete body. */
  #isDrained(): boolean {
    return [...this.#inFlight].every(({ req }) => !req.complete)
  }

  async #answered(): Promise<void> {
    if (this.#isDrained()) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#drained = resolve
    this.#socket.once('close', resolve)
    await promise
  }
}

/** The requests in flight on each connection of a server. */
export class Exchanges {
  readonly #of = new WeakMap<Duplex, Exchange>()
  readonly #all = new RequestsInFlight()

  /**
   * Wraps a handler: it gets requests only of connections that are not ending, and only so many of
   * each connection at a time.
   */
  counted =
    (handler: RequestListener): RequestListener =>
    (request: IncomingMessage, response: ServerResponse) => {
      this.#exchange(request.socket).begin(response, () => handler(request, response))
    }

  /**
   * Closes the connection of a request instead of answering it, after the answers to the requests
   * before it. Nothing of the answer may be written: of a response whose turn has not come, Node
   * sends the headers even after `destroy`, and goes on to the next.
   */
  closeInstead(response: ServerResponse): void {
    this.#exchange(response.req.socket).closeInstead(response)
  }

  /** As `Exchange.end`; if the answer cannot be made, the connection is closed. */
  end(socket: Duplex, answer: (last: IncomingMessage | undefined) => Promise<Buffer>): void {
    this.#exchange(socket)
      .end(answer)
      .catch(() => socket.destroy())
  }

  /** Resolves once each request that has arrived as a whole is answered, or its caller has left. */
  answered(): Promise<void> {
    return this.#all.answered()
  }

  #exchange(socket: Duplex): Exchange {
    const known = this.#of.get(socket)
    if (known !== undefined) return known
    const exchange = new Exchange(socket, this.#all)
    this.#of.set(socket, exchange)
    return exchange
  }
}
