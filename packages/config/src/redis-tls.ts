import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { KeyFault, readAnyPrivateKey, readCertificates } from '@placeorder/protocol'
import { ConfigFault } from './environment.ts'

const names = ['REDIS_TLS_CA_FILE', 'REDIS_TLS_CERT_FILE', 'REDIS_TLS_KEY_FILE'] as const
type Name = (typeof names)[number]
export const redisTlsFiles: readonly Name[] = names

/** In PEM: the authorities to trust instead of the system's, and our own certificate and key. */
type RedisTls = { ca?: string | undefined; cert?: string | undefined; key?: string | undefined }

/** What the files have, read again each time: it is asked for with each new connection. */
export type LiveRedisTls = { readonly current: RedisTls }

type Paths = { [N in Name]?: string | undefined }

/** The content of each file that is named, or the code of the error when it could not be read. */
type Contents = Map<Name, Buffer | string>

/**
 * Reads the files that these variables name; undefined if they name none. A new version that is
 * faulty is reported to `onFault` once, and the version before stays in force.
 *
 * @throws ConfigFault naming every file that cannot be used
 */
export function liveRedisTls(
  paths: Paths,
  onFault: (error: unknown) => void,
): LiveRedisTls | undefined {
  if (names.every((name) => paths[name] === undefined)) return undefined
  let lastRead = contentsOf(paths)
  let good = tlsFrom(lastRead, paths)
  return {
    get current() {
      const contents = contentsOf(paths)
      if (isSame(contents, lastRead)) return good
      lastRead = contents
      try {
        good = tlsFrom(contents, paths)
      } catch (error) {
        onFault(error)
      }
      return good
    },
  }
}

function contentsOf(paths: Paths): Contents {
  const contents: Contents = new Map()
  for (const name of names) {
    const path = paths[name]
    if (path !== undefined) contents.set(name, contentOf(path))
  }
  return contents
}

function contentOf(path: string): Buffer | string {
  try {
    return readFileSync(path)
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}

const isSame = (one: Contents, other: Contents): boolean =>
  names.every((name) => {
    const [a, b] = [one.get(name), other.get(name)]
    return a instanceof Buffer && b instanceof Buffer ? a.equals(b) : a === b
  })

function tlsFrom(contents: Contents, paths: Paths): RedisTls {
  const faults: string[] = []
  /** What the file is parsed to; undefined if none is named or it is faulty. */
  const read = <T>(name: Name, parse: (bytes: Buffer) => T): T | undefined => {
    const content = contents.get(name)
    if (content === undefined) return undefined
    try {
      if (typeof content !== 'string') return parse(content)
      const why = `cannot be read (${content}): create it, or name another file`
      faults.push(`${name}: ${paths[name]} ${why}`)
    } catch (error) {
      if (!(error instanceof KeyFault)) throw error
      faults.push(`${name}: ${paths[name]} ${error.message}`)
    }
    return undefined
  }
  const ca = read('REDIS_TLS_CA_FILE', readCertificates)
  const cert = read('REDIS_TLS_CERT_FILE', readCertificates)
  const key = read('REDIS_TLS_KEY_FILE', readAnyPrivateKey)
  if (cert !== undefined && key !== undefined && !new X509Certificate(cert).checkPrivateKey(key))
    faults.push('REDIS_TLS_CERT_FILE: is the certificate of another key than REDIS_TLS_KEY_FILE')
  const tls = { ca, cert, key: key && String(key.export({ type: 'pkcs8', format: 'pem' })) }
  if (faults.length === 0) faults.push(...refusalOf(tls))
  if (faults.length > 0) throw new ConfigFault(faults)
  return tls
}

/** Why OpenSSL would not use them, such as a key that is too short. */
function refusalOf(tls: RedisTls): string[] {
  try {
    createSecureContext(tls)
    return []
  } catch (error) {
    const why = error instanceof Error ? error.message.split(':').at(-1) : String(error)
    return [`REDIS_TLS_CERT_FILE: OpenSSL refuses certificate or key (${why}): make others`]
  }
}
