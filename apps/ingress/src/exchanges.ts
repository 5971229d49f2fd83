import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** How long (ms) a connection that we have ended is still read: its caller may have more to send than we want. */
const LINGER_MS = 1_000

/**
 * What is in flight on one connection. Node answers the requests it could read in order. What leaves HTTP (a `CONNECT`, bytes
 * that are no request) comes after all of them and ends the connection.
 */
class Exchange {
  readonly #socket: Duplex
  readonly #inFlight = new Set<ServerResponse>()
  #last: ServerResponse | undefined
  #ending = false
  #drained = () => {}

  constructor(socket: Duplex) {
    this.#socket = socket
  }

  /** Counts a request until its answer has left; false: the connection is ending, and nobody would read an answer. */
  begin(response: ServerResponse): boolean {
    if (this.#ending || this.#socket.destroyed) return false
    this.#last = response
    this.#inFlight.add(response)
    response.once('close', () => {
      this.#inFlight.delete(response)
      if (this.#ending && this.#isDrained()) this.#drained()
    })
    return true
  }

  /**
   * Ends the connection once every request that came whole is answered, with an answer to what came after them. `answer` is given
   * the last request that began: what came after it is broken, or its own body.
   */
  async end(answer: (last: IncomingMessage | undefined) => Promise<Buffer>): Promise<void> {
    if (this.#ending || !this.#socket.writable) return
    this.#ending = true
    const broken = this.#last?.req.complete === false ? this.#last : undefined
    this.#socket.resume() // What is still sent is read and thrown away: closing over it would reset the connection.
    await this.#answered()
    if (!this.#socket.writable) return
    const bytes = await answer(this.#last?.req)
    // A request whose body is broken may have been answered for its headers: one request, one answer.
    this.#socket.end(broken?.writableEnded ? undefined : bytes)
    const timer = setTimeout(() => this.#socket.destroy(), LINGER_MS)
    this.#socket.once('close', () => clearTimeout(timer))
  }

  /** Whether nothing is in flight but a request whose body did not come whole. */
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

/** What is in flight on each connection of a server. */
export class Exchanges {
  readonly #of = new WeakMap<Duplex, Exchange>()

  /** A listener that hands on the requests of connections that are not ending. */
  counted =
    (handler: RequestListener): RequestListener =>
    (request: IncomingMessage, response: ServerResponse) => {
      if (this.#exchange(request.socket).begin(response)) handler(request, response)
    }

  /** As `Exchange.end`; a connection whose answer cannot be made is closed. */
  end(socket: Duplex, answer: (last: IncomingMessage | undefined) => Promise<Buffer>): void {
    this.#exchange(socket)
      .end(answer)
      .catch(() => socket.destroy())
  }

  #exchange(socket: Duplex): Exchange {
    const known = this.#of.get(socket)
    if (known !== undefined) return known
    const exchange = new Exchange(socket)
    this.#of.set(socket, exchange)
    return exchange
  }
}
