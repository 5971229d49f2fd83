import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const openssl = (args: string[], cwd: string) => promisify(execFile)('openssl', args, { cwd })

/** A certificate and its key: their files and their content. */
export type Certificate = { certFile: string; keyFile: string; cert: string; key: string }

/** Whom a certificate is for, as `subjectAltName` says it, and how long it is valid. */
export type CertificateOptions = { names?: string; days?: number }

/** Makes certificates with OpenSSL in `dir`, each with its own name. */
export async function openAuthority(dir: string, name: string) {
  const request = (of: string, more: string[]) => {
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
    const key = [...curve, '-nodes', '-keyout', join(dir, `${of}.key`)]
    return openssl(['req', '-subj', `/CN=${of}`, ...key, ...more], dir)
  }
  const read = async (of: string): Promise<Certificate> => {
    const [certFile, keyFile] = [join(dir, `${of}.pem`), join(dir, `${of}.key`)]
    const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')])
    return { certFile, keyFile, cert, key }
  }
  const ca = ['-x509', '-days', '2', '-addext', 'basicConstraints=critical,CA:TRUE']
  await request(name, [...ca, '-out', join(dir, `${name}.pem`)])
  const authority = await read(name)
  return {
    ...authority,
    /**
     * Makes a certificate for 127.0.0.1, or other `names`, signed by this authority. With a
     * negative number of `days` it has expired.
     */
    issue: async (
      of: string,
      { names = 'IP:127.0.0.1', days = 2 }: CertificateOptions = {},
    ): Promise<Certificate> => {
      const csr = join(dir, `${of}.csr`)
      await request(of, ['-new', '-addext', `subjectAltName=${names}`, '-out', csr])
      const signed = ['-CA', authority.certFile, '-CAkey', authority.keyFile, '-CAcreateserial']
      const validity = ['-days', String(days), '-copy_extensions', 'copyall']
      const out = ['-out', join(dir, `${of}.pem`)]
      await openssl(['x509', '-req', '-in', csr, ...signed, ...validity, ...out], dir)
      return read(of)
    },
  }
}
