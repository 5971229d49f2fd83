import { X509Certificate } from 'node:crypto'
import type { Server } from 'node:http'
import { Server as TlsServer } from 'node:tls'
import { ConfigFault, live, type ReadFile } from '@placeorder/config'
import { readAnyPrivateKey, readCertificates } from '@placeorder/protocol'
import type { IngressEnvironment } from '../config.ts'
import { readKeyFile } from '../read-key-file.ts'

/** The options of an HTTPS listener, in PEM. With `ca`, callers need a certificate signed by it. */
export type TlsOptions = Partial<typeof secure> & { cert: string; key: string; ca?: string }

/**
 * TLS 1.2 or later with forward secrecy: a leaked certificate key does not decrypt earlier traffic.
 */
const secure = {
  minVersion: 'TLSv1.2',
  ciphers: [
    ...['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'],
    ...['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
    ...['ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384'],
    ...['ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305'],
  ].join(':'),
} as const

/** The files that an operator names, if any; the first two go together. */
export type TlsEnvironment = Pick<
  IngressEnvironment,
  'TLS_CERT_FILE' | 'TLS_KEY_FILE' | 'TLS_CLIENT_CA_FILE'
>
type TlsFiles = { certFile: string; keyFile: string; clientCaFile: string | undefined }

/** Certificates that are read again when their files change. */
export type LiveTls = {
  readonly current: TlsOptions
  /** What is wrong with the newest version; undefined while it is in force. */
  readonly fault: string | undefined
  /**
   * Applies every new version to this server; open connections keep the one they were opened with.
   */
  renew: (server: Server) => void
  reload: () => Promise<void>
  close: () => void
}

/**
 * Reads certificates and key, and reads them again when a file changes; undefined if none are
 * named. Certificate and key change one after the other: until they match again, the previous ones
 * stay in force and `onFault` is notified.
 *
 * @throws ConfigFault when one cannot be read, or they do not match
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
  let server: Server | undefined
  const files = await live(async (read) => {
    const made = await readTls({ certFile, keyFile, clientCaFile }, read)
    if (server instanceof TlsServer) server.setSecureContext(made)
    return made
  }, onFault)
  return {
    get current() {
      return files.current
    },
    get fault() {
      return files.fault
    },
    renew: (listening) => {
      server = listening
    },
    reload: files.reload,
    close: files.close,
  }
}

async function readTls(
  { certFile, keyFile, clientCaFile }: TlsFiles,
  read: ReadFile,
): Promise<TlsOptions> {
  const [cert, key, ca] = await Promise.all([
    readKeyFile(certFile, read, readCertificates),
    readKeyFile(keyFile, read, readAnyPrivateKey),
    clientCaFile === undefined ? undefined : readKeyFile(clientCaFile, read, readCertificates),
  ])
  if (!new X509Certificate(cert).checkPrivateKey(key))
    throw new ConfigFault([`${certFile}: is the certificate of another key than ${keyFile}`])
  const pem = String(key.export({ type: 'pkcs8', format: 'pem' }))
  return ca === undefined ? { ...secure, cert, key: pem } : { ...secure, cert, key: pem, ca }
}
