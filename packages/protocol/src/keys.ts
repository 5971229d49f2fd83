import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  type PublicKeyInput,
  X509Certificate,
} from 'node:crypto'
import { isPublished } from './published-keys.ts'

/** Why a file is not the expected key, and what to do. The caller names the file. */
export class KeyFault extends Error {
  override readonly name = 'KeyFault'
}

/** RSA keys with fewer bits are refused: PROTOCOL.md requires 2048 or more. */
const KEY_BITS_MIN = 2_048

/** Reads an RSA public key of 2048 bits or more, in any usual form. */
export function readPublicKey(bytes: Uint8Array): KeyObject {
  const blocks = blocksIn(bytes)
  const isPrivate = ({ label, der }: Block) =>
    label.endsWith('PRIVATE KEY') || privateFrom(der) !== undefined
  if (blocks.some(isPrivate))
    throw new KeyFault('holds a private key: it is for its owner alone; give the public one')
  const keys = blocks.flatMap(({ der }) => publicFrom(der) ?? [])
  return rsa(keys[0] ?? unreadable('a public key or a certificate', blocks))
}

/** Reads an RSA private key of 2048 bits or more, in any usual form. */
export const readPrivateKey = (bytes: Uint8Array): KeyObject => rsa(readAnyPrivateKey(bytes))

/** Reads a private key of any type, for TLS. */
export function readAnyPrivateKey(bytes: Uint8Array): KeyObject {
  const blocks = blocksIn(bytes)
  if (blocks.some(({ encrypted }) => encrypted))
    throw new KeyFault('is encrypted: decrypt it, such as with openssl pkey -in FILE -out PLAIN')
  const [key] = blocks.flatMap(({ der }) => privateFrom(der) ?? [])
  if (key !== undefined) return refusePublished(key)
  if (blocks.some(({ der }) => publicFrom(der) !== undefined))
    throw new KeyFault('holds a public key or a certificate: give the private key')
  return unreadable('a private key', blocks)
}

/** Reads certificates, leaf first, in any usual form; returns them in PEM. */
export function readCertificates(bytes: Uint8Array): string {
  const blocks = blocksIn(bytes)
  const certificates = blocks.flatMap(({ der }) => certificateFrom(der) ?? [])
  if (certificates.length === 0) return unreadable('a certificate', blocks)
  for (const { publicKey } of certificates) refusePublished(publicKey)
  return certificates.map(String).join('')
}

/** A PEM block; input without BEGIN and END has no label. */
type Block = { label: string; der: Buffer; encrypted: boolean }

function blocksIn(bytes: Uint8Array): Block[] {
  const buffer = Buffer.from(bytes)
  if (buffer[0] === 0x30 && buffer.includes(0)) return [blockOf('', buffer)] // A DER sequence.
  // Escaped, as in an environment variable.
  const text = textOf(buffer).replaceAll(/\\r|\\n/g, '\n')
  if (/^\s*REPLACE\b/.test(text))
    throw new KeyFault('is the placeholder of an example: put your own key in its place')
  const armoured = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----([\s\S]*?)-----END \1-----/g)]
  if (armoured.length > 0)
    return armoured.map(([, label = '', inside = '']) => {
      const [headers = ''] = /^(?:\s*[\w-]+:[^\n]*\n)*/.exec(inside) ?? []
      const block = blockOf(label, fromBase64(inside.slice(headers.length)))
      return { ...block, encrypted: block.encrypted || headers.includes('ENCRYPTED') }
    })
  const plain = fromBase64(text.replace(/^\s*(["'])(.*)\1\s*$/s, '$2'))
  return plain.subarray(0, 5).toString() === '-----' ? blocksIn(plain) : [blockOf('', plain)]
}

const blockOf = (label: string, der: Buffer): Block => ({
  label: label.replace('TRUSTED ', '').replace('X509 ', ''),
  der,
  encrypted: label.startsWith('ENCRYPTED') || hasOid(der, PBES2),
})

/** 1.2.840.113549.1.5.13, which marks encrypted PKCS #8. */
const PBES2 = Buffer.from('06092a864886f70d01050d', 'hex')
const hasOid = (der: Buffer, oid: Buffer): boolean => der.subarray(0, 64).includes(oid)

function textOf(buffer: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(buffer)
  } catch {
    throw new KeyFault('is neither text in UTF-8 nor a key in DER: save it as PEM')
  }
}

/** Empty if the text is not base64. */
function fromBase64(text: string): Buffer {
  const plain = text.replaceAll(/\s/g, '')
  return /^[A-Za-z0-9+/_-]+=*$/.test(plain) ? Buffer.from(plain, 'base64') : Buffer.alloc(0)
}

/** The public key in DER, as SPKI, as PKCS #1 or in a certificate. */
function publicFrom(der: Buffer): KeyObject | undefined {
  const publicKey = (type: PublicKeyInput['type']) => () =>
    createPublicKey({ key: der, format: 'der', type })
  return firstOf([publicKey('spki'), publicKey('pkcs1'), () => new X509Certificate(der).publicKey])
}

/** The private key in DER, as PKCS #8, PKCS #1 or SEC 1. */
function privateFrom(der: Buffer): KeyObject | undefined {
  const types = ['pkcs8', 'pkcs1', 'sec1'] as const
  return firstOf(types.map((type) => () => createPrivateKey({ key: der, format: 'der', type })))
}

const certificateFrom = (der: Buffer) => firstOf([() => new X509Certificate(der)])

/** The result of the first function that does not throw. */
function firstOf<T>(makes: (() => T)[]): T | undefined {
  for (const make of makes) {
    try {
      return make()
    } catch {} // The next form.
  }
  return undefined
}

function rsa(key: KeyObject): KeyObject {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (key.asymmetricKeyType !== 'rsa')
    throw new KeyFault(
      `is not an RSA key but ${key.asymmetricKeyType}: signatures are RSA with SHA-256`,
    )
  if (bits < KEY_BITS_MIN)
    throw new KeyFault(`has ${bits} bits: ${KEY_BITS_MIN} or more are needed; make another key`)
  return refusePublished(key)
}

function refusePublished(key: KeyObject): KeyObject {
  if (!isPublished(key)) return key
  throw new KeyFault(
    "is a key whose private half is in placeorder's repository, so that anybody can sign " +
      'with it: make a key of your own',
  )
}

function unreadable(what: string, blocks: readonly Block[]): never {
  const labels = blocks.map(({ label }) => label).filter((label) => label !== '')
  const said = labels.length === 0 ? '' : ` (it says ${labels.join(', ')})`
  const form = labels.includes('OPENSSH PRIVATE KEY')
    ? 'convert it with ssh-keygen -p -m PKCS8 -f FILE'
    : 'give it as PEM, as DER, or as the base64 of DER'
  throw new KeyFault(`cannot be read as ${what}${said}: ${form}`)
}
