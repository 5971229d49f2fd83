import { readFileSync } from 'node:fs'
import { isIP, isIPv6 } from 'node:net'
import { z } from 'zod'

/** A whole number within bounds; the message states them. */
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

/** A TCP port; 0 means any free one. */
export const port = wholeNumber({ max: 65_535 })

/** A time in ms. */
export const durationMs = wholeNumber

export const boolean = z
  .enum(['true', 'false', '1', '0'], 'must be true or false')
  .transform((text) => text === 'true' || text === '1')

/** Words separated by commas. */
export const list = z.string().transform((text) =>
  text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== ''),
)

/** The address or name of a host; an IPv6 address may be in brackets. */
export const host = z
  .string()
  .transform((text) => text.replace(/^\[(.*)\]$/, (all, inner) => (isIPv6(inner) ? inner : all)))
  .refine((text) => isIP(text) !== 0 || /^[\w.-]+$/.test(text), {
    error: 'must be the address or name of a host, without a port',
  })

/** An IPv6 literal or a name, and a port. */
const hostPort = /^(?:\[([^\]]+)\]|([\w.-]+)):(\d{1,5})$/

function isHostAndPort(text: string): boolean {
  const [, literal, , number] = hostPort.exec(text) ?? []
  return Number(number) >= 1 && Number(number) <= 65_535 && (!literal || isIPv6(literal))
}

/** A host and its port, such as `redis-1:26379` or `[::1]:26379`. */
export const hostAndPort = z
  .string()
  .refine(isHostAndPort, {
    error: 'must be host:port, an IPv6 address in brackets; separate several by commas',
  })
  .transform((text) => {
    const [, literal, name = '', number] = hostPort.exec(text) ?? []
    return { host: literal ?? name, port: Number(number) }
  })

/** The files that a URL of PostgreSQL may name. */
const sslFiles = ['sslrootcert', 'sslcert', 'sslkey']

const archiveUnnamed = 'is not set: name the PostgreSQL that orders are copied to'

/** Where the archive is. A URL holds a password, so a fault does not quote it. */
export const archiveUrl = z.string(archiveUnnamed).superRefine((text, context) => {
  const report = (message: string) => context.addIssue({ code: 'custom', message })
  const url = URL.parse(text)
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol) || url.hostname === '') {
    report('must be postgres://user:password@host:port/database')
    return
  }
  for (const name of sslFiles) {
    const path = url.searchParams.get(name)
    const code = path === null ? undefined : unreadable(path)
    if (code !== undefined)
      report(`${name} ${path} cannot be read (${code}): create it, or name another file`)
  }
})

/** Why a file cannot be read; undefined if it can. */
function unreadable(path: string): string | undefined {
  try {
    readFileSync(path)
    return undefined
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}

/** How many months of requests the archive keeps; 0: all. */
export const requestsKeepMonths = wholeNumber({ max: 1_200 }).default(0)
