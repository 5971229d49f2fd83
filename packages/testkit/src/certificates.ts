import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const openssl = (args: string[], cwd: string) => promisify(execFile)('openssl', args, { cwd })

/** A certificate and its key: their files and their content. */
export type Certificate = { certFile: string; keyFile: string; cert: string; key: string }

/** Makes certificates with OpenSSL in `dir`, each with its own name. */
export async function openAuthority(dir: string, name: string) {
  const files = (of: string) => ({
    certFile: join(dir, `${of}.pem`),
    keyFile: join(dir, `${of}.key`),
  })
  const make = async (of: string, more: string[]): Promise<Certificate> => {
    const { certFile, keyFile } = files(of)
    const key = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      keyFile,
    ]
    await openssl(
      ['req', '-x509', '-subj', `/CN=${of}`, '-days', '2', ...key, ...more, '-out', certFile],
      dir,
    )
    const [cert, keyText] = await Promise.all([
      readFile(certFile, 'utf8'),
      readFile(keyFile, 'utf8'),
    ])
    return { certFile, keyFile, cert, key: keyText }
  }
  const authority = await make(name, ['-addext', 'basicConstraints=critical,CA:TRUE'])
  const signed = ['-CA', authority.certFile, '-CAkey', authority.keyFile]
  return {
    ...authority,
    /** Makes a certificate for 127.0.0.1, signed by this authority. */
    issue: (of: string) => make(of, [...signed, '-addext', 'subjectAltName=IP:127.0.0.1']),
  }
}
