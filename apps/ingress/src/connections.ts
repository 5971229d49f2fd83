import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { hearSocketErrors } from '@placeorder/telemetry'

/** The connections of a server, from the moment they are accepted: also those that have not spoken TLS or HTTP yet. */
export class Connections {
  readonly #open = new Set<Socket>()

  /** Watches over the connections of a server. */
  watch(server: Server): void {
    hearSocketErrors(server)
    server.on('connection', (socket: Socket) => {
      this.#open.add(socket)
      socket.once('close', () => this.#open.delete(socket))
    })
  }

  /** Closes all of them now. Node's own `closeAllConnections` knows only those that speak HTTP. */
  destroyAll(): void {
    for (const socket of this.#open) socket.destroy()
  }
}
