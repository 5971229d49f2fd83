import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Listens for the errors of every socket of a server, for as long as the socket lives. Node takes its own listeners away from a
 * socket that leaves HTTP (`CONNECT`), and an error that nobody listens for ends the process. What an error means is
 * said where the socket is used; whatever it is, the socket is closed after it.
 */
export function hearSocketErrors(server: Server): void {
  const hear = (socket: Socket) => void socket.on('error', () => {})
  server.on('connection', hear)
  server.on('secureConnection', hear) // With TLS, the socket that HTTP is read from is another one.
}
