import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import { Server as TlsServer } from 'node:tls'
import { ConfigFault, liveFile, orFault } from '@placeorder/config'
import type { IngressEnvironment } from './config.ts'

/** What makes the listener an HTTPS one, in PEM. With `ca`, callers need a certificate signed by it. */
export type TlsOptions = { cert: string; key: string; ca?: string }

/** The files an operator names, if any; the first two go together. */
export type TlsEnvironment = Pick<
  IngressEnvironment,
  'TLS_CERT_FILE' | 'TLS_KEY_FILE' | 'TLS_CLIENT_CA_FILE'
>
type TlsFiles = { certFile: string; keyFile: string; clientCaFile: string | undefined }

/** Certificates that are read again when their files change. */
export type LiveTls = {
  readonly current: TlsOptions
  /** Gives this server every new version; connections that are open keep what they were opened with. */
  renew: (server: Server) => void
  reload: () => Promise<void>
  close: () => void
}

/**
 * Reads certificates and key, and reads them again when one of the files changes; undefined where none are named.
 * Certificate and key change one after the other: until they fit together again, those before stay in force, and
 * `onFault` is told.
 *
 * @throws ConfigFault when one cannot be read, or they do not fit together
 */
export async function liveTls(
  {
    TLS_CERT_FILE: certFile,
    TLS_KEY_FILE: keyFile,
    TLS_CLIENT_CA_FILE: clientCaFile,
  }: TlsEnvironment,
  onFault: (error: unknown) => void,
): Promise<LiveTls | undefined> {
  if (certFile === undefined || keyFile === undefined) return undefined
  const files = { certFile, keyFile, clientCaFile }
  let current = await readTls(files)
  let server: Server | undefined
  const renewed = async () => {
    current = await readTls(files)
    if (server instanceof TlsServer) server.setSecureContext(current)
  }
  const paths = [certFile, keyFile, ...(clientCaFile === undefined ? [] : [clientCaFile])]
  const live = await Promise.all(paths.map((path) => liveFile(path, renewed, onFault)))
  return {
    get current() {
      return current
    },
    renew: (listening) => {
      server = listening
    },
    reload: async () => void (await Promise.all(live.map((file) => file.reload()))),
    close: () => {
      for (const file of live) file.close()
    },
  }
}

async function readTls({ certFile, keyFile, clientCaFile }: TlsFiles): Promise<TlsOptions> {
  const [cert, key, ca] = await Promise.all([
    readOrFault(certFile),
    readOrFault(keyFile),
    clientCaFile === undefined ? undefined : readOrFault(clientCaFile),
  ])
  // A file that is being written is empty for a moment, and Node takes an empty certificate for none at all.
  const leaf = orFault(() => new X509Certificate(cert), `${certFile}: is no certificate in PEM`)
  const secret = orFault(() => createPrivateKey(key), `${keyFile}: is no private key in PEM`)
  if (!leaf.checkPrivateKey(secret))
    throw new ConfigFault([`${certFile}: is the certificate of another key than ${keyFile}`])
  if (ca === undefined) return { cert, key }
  orFault(() => new X509Certificate(ca), `${clientCaFile}: is no certificate in PEM`)
  return { cert, key, ca }
}

const readOrFault = (path: string) =>
  readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new ConfigFault([`${path}: cannot be read (${cause.code})`])
  })
