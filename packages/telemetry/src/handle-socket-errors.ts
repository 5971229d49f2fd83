import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Handles the errors of every socket of a server, for the socket's whole life. Node removes its own
 * listeners from a socket that leaves HTTP (`CONNECT`), and an error without a listener ends the
 * process. Nothing is done here, because the socket closes after any error, and its user logs what
 * matters.
 */
export function handleSocketErrors(server: Server): void {
  const handle = (socket: Socket) => void socket.on('error', () => {})
  server.on('connection', handle)
  server.on('secureConnection', handle) // With TLS, HTTP is read from another socket.
}
