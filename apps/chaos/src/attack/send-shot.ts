import { connect, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Port, Shot } from './shot.ts'

export type ShotResult = {
  received: Buffer
  /** Whether the other side reset the connection: what it had sent may be lost on the way. */
  isReset: boolean
  /** Whether the connection is still open after the longest allowed time. */
  isOpen: boolean
  tookMs: number
}

/** The ports of the processes under attack. */
export type Targets = { numbers: Record<Port, number>; ca: string }

/**
 * The longest that a connection may be open: 15 s for a request that never comes whole, an answer,
 * and a busy machine.
 */
const OPEN_MS_MAX = 30_000

/**
 * Sends a shot over a connection of its own, and reads what comes back until the connection is
 * closed.
 */
export async function sendShot(shot: Shot, { numbers, ca }: Targets): Promise<ShotResult> {
  const startedAt = performance.now()
  const to = { host: '127.0.0.1', port: numbers[shot.port], noDelay: true, allowHalfOpen: true }
  const isTls = shot.port === 'orders over TLS' && !shot.bare
  const socket: Socket | TLSSocket = isTls ? connectTls({ ...to, ca }) : connect(to)
  const chunks: Buffer[] = []
  let isReset = false
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => {
    isReset = true
  })
  const closed = new Promise<boolean>((resolve) => {
    socket.once('close', () => resolve(false))
    // With its own half still open, the caller learns by this that the other side has closed.
    socket.once('end', () => socket.end(() => resolve(false)))
  })
  const late = new AbortController()
  try {
    await send(socket, shot)
    const isOpen = await Promise.race([
      closed,
      wait(OPEN_MS_MAX, true, { signal: late.signal }).catch(() => true),
    ])
    const tookMs = Math.round(performance.now() - startedAt)
    return { received: Buffer.concat(chunks), isReset, isOpen, tookMs }
  } finally {
    late.abort()
    socket.destroy()
  }
}

async function send(socket: Socket, { pieces, leaving }: Shot): Promise<void> {
  for (const [at, piece] of pieces.entries()) {
    if (at > 0) await wait(1)
    if (socket.writable) socket.write(piece)
  }
  if (leaving.how === 'end' && socket.writable) socket.end()
  if (leaving.how !== 'reset') return
  await wait(leaving.afterMs)
  if (socket.destroyed) return
  if ('encrypted' in socket) socket.destroy()
  else socket.resetAndDestroy()
}
