import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { RedisFault } from './redis-fault.ts'
import { hasTls, hostOf, type RedisAddress } from './redis-options.ts'

/** How long one look at a server may take, in ms. */
const LOOK_MS_MAX = 1_000

type Server = { host: string; port: number }

/**
 * The fault of an address that says TLS where there is none, or the other way round. Redis does not
 * say so: it waits for the rest of a command, or resets the connection, as one does that is about
 * to start. So each server is tried the other way, without a password.
 */
export async function tlsMismatchOf(address: RedisAddress): Promise<RedisFault | undefined> {
  const { urls, sentinels, sentinelTls = hasTls(address) } = address
  const looks =
    sentinels.length > 0
      ? sentinels.map((server) => lookAt(server, sentinelTls, sentinelWords))
      : urls.map((url) => lookAt(hostOf(new URL(url)), hasTls(address), redisWords))
  return (await Promise.all(looks)).find((fault) => fault !== undefined)
}

type Words = { name: string; forTls: string; withoutTls: string }

const redisWords: Words = {
  name: 'Redis',
  forTls: 'correct REDIS_URL, rediss:// is for TLS',
  withoutTls: 'correct REDIS_URL, redis:// is without TLS',
}
const sentinelWords: Words = {
  name: 'the sentinel',
  forTls: 'set REDIS_SENTINEL_TLS=true',
  withoutTls: 'set REDIS_SENTINEL_TLS=false',
}

async function lookAt(
  server: Server,
  isTls: boolean,
  { name, forTls, withoutTls }: Words,
): Promise<RedisFault | undefined> {
  const at = `${name} at ${server.host} port ${server.port}`
  if (isTls)
    return (await answersInClear(server))
      ? new RedisFault(`${at} does not speak TLS: ${withoutTls}`)
      : undefined
  return (await speaksTls(server)) ? new RedisFault(`${at} speaks TLS: ${forTls}`) : undefined
}

/** Any answer will do: a Redis that asks for a password says that first. */
function answersInClear(server: Server): Promise<boolean> {
  const socket = connect(server, () => socket.write('PING\r\n'))
  return shown(socket, (resolve) =>
    socket.once('data', (bytes: Buffer) => resolve(/^[+-]/.test(bytes.toString('latin1')))),
  )
}

/** Whose certificate it is does not matter, since nothing is sent; an alert is TLS, too. */
function speaksTls(server: Server): Promise<boolean> {
  const socket = connectTls({ ...server, rejectUnauthorized: false })
  return shown(socket, (resolve) => {
    socket.once('secureConnect', () => resolve(true))
    socket.once('error', ({ message }: Error) => resolve(/alert/i.test(message)))
  })
}

/** What a server shows of itself before its time is up. */
async function shown(
  socket: Socket,
  look: (resolve: (isShown: boolean) => void) => void,
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  look(resolve)
  socket.on('error', () => {}) // It is closed then.
  socket.once('close', () => resolve(false))
  const late = setTimeout(() => resolve(false), LOOK_MS_MAX)
  try {
    return await promise
  } finally {
    clearTimeout(late)
    socket.destroy()
  }
}
