import { connect, createServer, type Server, Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

/** Where a proxy connects to. */
export type Target = { host?: string; port: number }

/** One end of a connection: `client` opened it, `server` accepted it. */
export type End = 'client' | 'server'

type NetworkFault =
  | { kind: 'NONE' }
  | { kind: 'SLOW'; ms: number; jitterMs: number }
  | { kind: 'STALLED'; over: PromiseWithResolvers<void> }
  | { kind: 'BLACK_HOLE' }
  | { kind: 'REFUSING' }

/** One connection through the proxy. If `lost`, it silently drops all data. */
type Link = { client: Socket; server: Socket; lost: boolean; cutAfter: End | undefined }

const none: NetworkFault = { kind: 'NONE' }

/**
 * Injects network faults between a client and its server on this machine. Faults hold for open and
 * new connections until `heal`; `cut`, `cutMidway` and `halfOpen` hit the open ones, once.
 */
export class FaultProxy {
  readonly #server: Server
  #target: Required<Target>
  readonly #random: () => number
  readonly #links = new Set<Link>()
  #port = 0
  #swallowedBytes = 0
  #fault: NetworkFault = none

  private constructor(target: Target, random: () => number) {
    this.#target = { host: '127.0.0.1', ...target }
    this.#random = random
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) =>
      this.#accept(client),
    )
  }

  /** Opens one on a free port of 127.0.0.1. `random` gives the jitter, from 0 to 1. */
  static async open(target: Target, random: () => number = Math.random): Promise<FaultProxy> {
    const proxy = new FaultProxy(target, random)
    await proxy.#listen()
    return proxy
  }

  get port(): number {
    return this.#port
  }

  /** How many connections are open to clients. */
  get connections(): number {
    return [...this.#links].filter(({ client }) => !client.destroyed).length
  }

  /** How many bytes went into black holes and to ends that are gone. */
  get swallowedBytes(): number {
    return this.#swallowedBytes
  }

  /** New connections go to another target; open ones stay, as behind a DNS name or a balancer. */
  leadTo(target: Target): void {
    this.#target = { host: '127.0.0.1', ...target }
  }

  /** Delays all data by `ms` ± `jitterMs` in each direction, in order. */
  slow(ms: number, jitterMs = 0): void {
    this.#change({ kind: 'SLOW', ms, jitterMs })
  }

  /** Holds all data until `heal`: a network that recovers. Connections are accepted. */
  stall(): void {
    this.#change({ kind: 'STALLED', over: Promise.withResolvers() })
  }

  /** Drops all data. A connection that lost some never works again, and neither end is notified. */
  blackHole(): void {
    this.#change({ kind: 'BLACK_HOLE' })
  }

  /** Resets connections and refuses new ones: nothing listens. */
  async refuse(): Promise<void> {
    this.#change({ kind: 'REFUSING' })
    this.cut()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }

  /** Resets the open connections. */
  cut(): void {
    for (const link of this.#links) reset(link)
  }

  /** Resets each connection when half of the next data that this end sends has arrived. */
  cutMidway(from: End): void {
    for (const link of this.#links) link.cutAfter = from
  }

  /** Resets each connection for `gone`; its other end is not notified and gets no more data. */
  halfOpen(gone: End): void {
    for (const link of this.#links) {
      link.lost = true
      link[gone].resetAndDestroy()
    }
  }

  /** Ends the active fault. */
  async heal(): Promise<void> {
    this.#change(none)
    if (!this.#server.listening) await this.#listen()
  }

  /** Closes all connections and stops listening. */
  async close(): Promise<void> {
    this.#change(none)
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const link of this.#links) reset(link)
    await closed
  }

  #change(fault: NetworkFault): void {
    if (this.#fault.kind === 'STALLED') this.#fault.over.resolve()
    this.#fault = fault
  }

  async #listen(): Promise<void> {
    const listening = Promise.withResolvers<void>()
    this.#server.once('error', listening.reject)
    this.#server.listen(this.#port, '127.0.0.1', listening.resolve)
    await listening.promise
    this.#server.off('error', listening.reject)
    const address = this.#server.address()
    if (typeof address === 'object' && address !== null) this.#port = address.port
  }

  #accept(client: Socket): void {
    const lost = this.#fault.kind === 'BLACK_HOLE'
    const server = lost
      ? new Socket().destroy()
      : connect({ ...this.#target, allowHalfOpen: true, noDelay: true })
    const link: Link = { client, server, lost, cutAfter: undefined }
    this.#links.add(link)
    this.#carry(link, 'client', client, server)
    this.#carry(link, 'server', server, client)
    const forget = () => {
      if (client.destroyed && server.destroyed) this.#links.delete(link)
    }
    for (const [end, other] of [
      [client, server],
      [server, client],
    ] as const) {
      end.on('error', () => {}) // `close` follows.
      end.on('close', () => {
        if (!this.#swallows(link)) other.resetAndDestroy()
        forget()
      })
    }
  }

  #carry(link: Link, end: End, from: Socket, to: Socket): void {
    let sent = Promise.resolve()
    const inOrder = (send: () => void) => {
      const delayed = this.#delay()
      sent = sent.then(() => delayed).then(send)
    }
    from.on('data', (data: Buffer) => {
      if (this.#swallows(link)) {
        this.#swallowedBytes += data.length
        return
      }
      inOrder(() => {
        if (link.lost || to.destroyed) return
        if (link.cutAfter === end) {
          to.write(data.subarray(0, Math.ceil(data.length / 2)), () => reset(link))
          return
        }
        if (!to.write(data)) from.pause()
      })
    })
    to.on('drain', () => from.resume())
    from.on('end', () => {
      if (!this.#swallows(link)) inOrder(() => !link.lost && to.end())
    })
  }

  #swallows(link: Link): boolean {
    if (this.#fault.kind === 'BLACK_HOLE') link.lost = true
    return link.lost
  }

  #delay(): Promise<void> | undefined {
    const fault = this.#fault
    if (fault.kind === 'STALLED') return fault.over.promise
    if (fault.kind !== 'SLOW') return undefined
    const jitter = (2 * this.#random() - 1) * fault.jitterMs
    return wait(Math.max(0, fault.ms + jitter))
  }
}

function reset({ client, server }: Link): void {
  client.resetAndDestroy()
  server.resetAndDestroy()
}
