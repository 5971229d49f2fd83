import { isIP, isIPv6 } from 'node:net'
import { z } from 'zod'

/** A number of a variable, whole and within bounds; the message says which. */
export const wholeNumber = ({
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
}: {
  min?: number
  max?: number
} = {}) =>
  z
    .string()
    .refine((text) => /^\d{1,15}$/.test(text) && Number(text) >= min && Number(text) <= max, {
      error: `must be a whole number from ${min} to ${max}`,
    })
    .transform(Number)

/** A TCP port; 0 takes a free one. */
export const port = wholeNumber({ max: 65_535 })

/** A time in ms. */
export const durationMs = wholeNumber

export const boolean = z
  .enum(['true', 'false', '1', '0'], 'must be true or false')
  .transform((text) => text === 'true' || text === '1')

/** Words between commas. */
export const list = z.string().transform((text) =>
  text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== ''),
)

/** An address, or a name; an IPv6 address may stand in brackets. */
export const host = z
  .string()
  .transform((text) => text.replace(/^\[(.*)\]$/, (all, inner) => (isIPv6(inner) ? inner : all)))
  .refine((text) => isIP(text) !== 0 || /^[\w.-]+$/.test(text), {
    error: 'must be an address or a name of a host, without a port',
  })

/** An IPv6 literal or a name; a port. */
const hostPort = /^(?:\[([^\]]+)\]|([\w.-]+)):(\d{1,5})$/

function isHostAndPort(text: string): boolean {
  const [, literal, , number] = hostPort.exec(text) ?? []
  return Number(number) >= 1 && Number(number) <= 65_535 && (!literal || isIPv6(literal))
}

/** A host and its port, such as `redis-1:26379` or `[::1]:26379`. */
export const hostAndPort = z
  .string()
  .refine(isHostAndPort, {
    error: 'must be host:port, an IPv6 address in brackets; several between commas',
  })
  .transform((text) => {
    const [, literal, name = '', number] = hostPort.exec(text) ?? []
    return { host: literal ?? name, port: Number(number) }
  })
