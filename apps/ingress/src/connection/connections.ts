import type { Server } from 'node:http'
import { isIPv6, type Socket } from 'node:net'
import { handleSocketErrors } from '@placeorder/telemetry'

export type ConnectionLimits = {
  /** Connections of all callers together: each may hold a body of 64 KiB and its headers. */
  max: number
  /**
   * Connections of one IPv4 address, or of one IPv6 network of 64 bits, in which a caller may
   * choose its address.
   */
  perAddressMax: number
  /**
   * Whether an address is a load balancer's, through which all callers come: it has no such bound.
   */
  isProxy: (address: string) => boolean
}

/**
 * The connections of a server from the moment they are accepted, including those that have not
 * spoken TLS or HTTP yet.
 */
export class Connections {
  readonly #limits: ConnectionLimits
  readonly #onRefused: (reason: string) => void
  readonly #open = new Set<Socket>()
  readonly #ofAddress = new Map<string, number>()

  /** `onRefused` gets the reason why a connection was closed as soon as it was accepted. */
  constructor(limits: ConnectionLimits, onRefused: (reason: string) => void) {
    this.#limits = limits
    this.#onRefused = onRefused
  }

  /** Tracks the connections of a server, and closes those past the bounds. */
  watch(server: Server): void {
    handleSocketErrors(server)
    server.on('connection', (socket: Socket) => {
      const { remoteAddress = '' } = socket
      const source = this.#limits.isProxy(remoteAddress) ? undefined : sourceOf(remoteAddress)
      const reason = this.#tooMany(source)
      if (reason === undefined) this.#track(socket, source)
      else {
        socket.destroy() // Without an answer: this caller may not even speak HTTP.
        this.#onRefused(reason)
      }
    })
  }

  /** Closes all of them now. Node's own `closeAllConnections` knows only those that speak HTTP. */
  destroyAll(): void {
    for (const socket of this.#open) socket.destroy()
  }

  #tooMany(source: string | undefined): string | undefined {
    const { max, perAddressMax } = this.#limits
    if (this.#open.size >= max) return `${max} connections are open`
    if (source !== undefined && this.#countOf(source) >= perAddressMax)
      return `${perAddressMax} connections of one address are open`
    return undefined
  }

  #track(socket: Socket, source: string | undefined): void {
    this.#open.add(socket)
    if (source !== undefined) this.#ofAddress.set(source, this.#countOf(source) + 1)
    socket.once('close', () => {
      this.#open.delete(socket)
      if (source === undefined) return
      const left = this.#countOf(source) - 1
      if (left > 0) this.#ofAddress.set(source, left)
      else this.#ofAddress.delete(source)
    })
  }

  #countOf(source: string): number {
    return this.#ofAddress.get(source) ?? 0
  }
}

/**
 * What identifies a caller: an IPv4 address, in either form, or the first 64 bits of an IPv6 one.
 */
export function sourceOf(address: string): string {
  const [, mapped] = /^::ffff:([\d.]+)$/i.exec(address) ?? []
  if (mapped !== undefined || !isIPv6(address)) return mapped ?? address
  const [front = '', back] = (address.split('%')[0] ?? '').split('::')
  const groups = (text = '') => text.split(':').filter((group) => group !== '')
  const zeros = Array<string>(8 - groups(front).length - groups(back).length).fill('0')
  const all = back === undefined ? groups(front) : [...groups(front), ...zeros, ...groups(back)]
  return all.slice(0, 4).join(':')
}
