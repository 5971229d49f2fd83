import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** How long (ms) a connection that we have ended is still read: its caller may have more to send than we want. */
const LINGER_MS = 1_000

/** Requests of one connection that are worked on at a time. Whoever waits for its answers has one. */
const AT_WORK_MAX = 32

/**
 * With more at work the connection is not read any further. What was read by then is 128 KiB at most, and a signed request has more
 * than 512 bytes: with more than this in flight they are not requests of a client, and each costs us a hundred times
 * its bytes. The connection is closed.
 */
const IN_FLIGHT_MAX = AT_WORK_MAX + 256

/**
 * What is in flight on one connection. Node answers the requests it could read in order. What leaves HTTP (a `CONNECT`, bytes
 * that are no request) comes after all of them and ends the connection.
 */
class Exchange {
  readonly #socket: Duplex
  readonly #inFlight = new Set<ServerResponse>()
  readonly #waiting: (() => void)[] = []
  #last: ServerResponse | undefined
  #ending = false
  #drained = () => {}

  constructor(socket: Duplex) {
    this.#socket = socket
    // Node reads on after every request that came whole, whoever paused it.
    socket.on('resume', () => {
      if (this.#waiting.length > 0) socket.pause()
    })
  }

  /** Counts a request until its answer has left, and has it handled: now, or when others have left. */
  begin(response: ServerResponse, handle: () => void): void {
    if (this.#ending || this.#socket.destroyed) return // Nobody would read an answer.
    if (this.#inFlight.size >= IN_FLIGHT_MAX) {
      this.#socket.destroy()
      return
    }
    this.#last = response
    this.#inFlight.add(response)
    response.once('close', () => this.#left(response))
    if (this.#inFlight.size <= AT_WORK_MAX) handle()
    else {
      this.#socket.pause()
      this.#waiting.push(handle)
    }
  }

  #left(response: ServerResponse): void {
    this.#inFlight.delete(response)
    if (this.#waiting.length > 0 && !this.#socket.destroyed) {
      this.#waiting.shift()?.()
      if (this.#waiting.length === 0) this.#socket.resume()
    }
    if (this.#ending && this.#isDrained()) this.#drained()
  }

  /**
   * Ends the connection once every request that came whole is answered, with an answer to what came after them. `answer` is given
   * the last request that began: what came after it is broken, or its own body.
   */
  async end(answer: (last: IncomingMessage | undefined) => Promise<Buffer>): Promise<void> {
    if (this.#ending || !this.#socket.writable) return
    this.#ending = true
    const broken = this.#last?.req.complete === false ? this.#last : undefined
    // Node knows of no answer to come: when the caller closes its half, it would close ours.
    this.#socket.removeAllListeners('end')
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

  /** A listener that hands on the requests of connections that are not ending, so many of each at a time. */
  counted =
    (handler: RequestListener): RequestListener =>
    (request: IncomingMessage, response: ServerResponse) => {
      this.#exchange(request.socket).begin(response, () => handler(request, response))
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
