import type { KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import {
  KeyFault,
  readAnyPrivateKey,
  readCertificates,
  readPrivateKey,
  readPublicKey,
} from '@placeorder/protocol'
import { z } from 'zod'
import type { CallerConfig, Tls } from '../client/place-order-client.ts'
import { UsageError } from './command.ts'
import type { CommandOption } from './options.ts'
import type { Terminal } from './terminal.ts'

/** The standalone app's address and keys: without options, commands call it. */
const paths = {
  url: '/aps/api/v1/payments/placeOrder',
  'inquiry-url': '/aps/api/v1/payments/inquiryOrder',
} as const
const standalone = {
  url: `http://127.0.0.1:3000${paths.url}`,
  clientId: 'SANDBOX_5Y00000000000001',
  key: '.data/keys/alipay-1.pem',
  serverKey: '.data/keys/acquirer.pub.pem',
  file: '.data/standalone.json',
}

/** Address, keys and TLS: the same options in every command that calls an acquirer. */
export const callerOptions = {
  url: {
    type: 'string',
    value: '<url>',
    help: `URL of placeOrder; without a path, ${paths.url} (npm start's, or ${standalone.url})`,
  },
  'inquiry-url': {
    type: 'string',
    value: '<url>',
    help: 'URL of inquiryOrder; else --url with its last path segment replaced',
  },
  'client-id': {
    type: 'string',
    value: '<id>',
    default: standalone.clientId,
    help: 'our Client-Id',
  },
  key: {
    type: 'string',
    value: '<pem>',
    default: standalone.key,
    help: 'our private key, which signs requests',
  },
  'key-version': {
    type: 'string',
    value: '<n>',
    default: '1',
    help: 'the version under which the acquirer knows --key',
  },
  'server-key': {
    type: 'string',
    value: '<pem>',
    help: `the acquirer's public key, to verify answers (${standalone.serverKey})`,
  },
  sample: { type: 'string', value: '<json>', help: 'the order; else the sample of placeOrder.txt' },
  ca: { type: 'string', value: '<pem>', help: 'https: certificates to trust, besides the usual' },
  cert: { type: 'string', value: '<pem>', help: 'https: our certificate, for mutual TLS' },
  'cert-key': { type: 'string', value: '<pem>', help: 'https: the private key of --cert' },
  insecure: { type: 'boolean', help: "https: do not check the acquirer's certificate" },
} as const satisfies Record<string, CommandOption>

/** The values of `callerOptions`, as readArgs returns them. */
export type CallerValues = {
  url?: string | undefined
  'inquiry-url'?: string | undefined
  'client-id': string
  key: string
  'key-version': string
  'server-key'?: string | undefined
  ca?: string | undefined
  cert?: string | undefined
  'cert-key'?: string | undefined
  insecure?: boolean | undefined
}

/**
 * Reads address, keys and TLS. Without a server key at its default path, answers are not verified,
 * and a note on the terminal says so.
 *
 * @throws UsageError that names the option with an invalid value
 */
export async function readCallerConfig(
  values: CallerValues,
  terminal: Pick<Terminal, 'note'>,
  running: () => Promise<RunningStandalone | undefined> = () => readRunning(standalone.file),
): Promise<CallerConfig> {
  const up = values.url === undefined ? await running() : undefined
  if (up !== undefined) terminal.note(`calling npm start (pid ${up.pid})`)
  const url = urlOf('url', values.url ?? up?.placeOrder ?? standalone.url)
  const inquiryUrl = values['inquiry-url']
  return {
    url,
    inquiryUrl: inquiryUrl === undefined ? inquiryUrlBeside(url) : urlOf('inquiry-url', inquiryUrl),
    clientId: values['client-id'],
    key: await readKey('key', values.key, readPrivateKey, '`simulator keys` makes one'),
    keyVersion: values['key-version'],
    serverKey: await readServerKey(values['server-key'], terminal),
    tls: await readTls(values),
  }
}

/** The part that commands read of what `npm start` writes while it is up. */
const RunningStandalone = z.object({ pid: z.int(), placeOrder: z.url() })
type RunningStandalone = z.output<typeof RunningStandalone>

/** The `npm start` that wrote this file; undefined if it is not up. */
export async function readRunning(file: string): Promise<RunningStandalone | undefined> {
  try {
    const running = RunningStandalone.parse(JSON.parse(await readFile(file, 'utf8')))
    return process.kill(running.pid, 0) ? running : undefined
  } catch {
    return undefined // There is no file, it is being written, or its process has ended.
  }
}

/** A URL without a path, not even `/`, gets the path of Alipay+'s documentation. */
function urlOf(option: keyof typeof paths, text: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new UsageError(`--${option} ${text}: is not an http or https URL`)
  if (!/^[^/]*\/\/[^/?#]*\//.test(text)) url.pathname = paths[option]
  return url
}

/** inquiryOrder is a sibling of placeOrder at our acquirer, as it is for Alipay+'s other APIs. */
function inquiryUrlBeside(url: URL): URL {
  const inquiry = new URL(url)
  inquiry.pathname = inquiry.pathname.replace(/[^/]*$/, 'inquiryOrder')
  return inquiry
}

/** Reads a key or certificates from a file that an option names. */
async function readKey<K>(
  option: string,
  path: string,
  keyFrom: (bytes: Uint8Array) => K,
  remedy?: string,
): Promise<K> {
  const bytes = await readOptionFile(option, path, remedy)
  try {
    return keyFrom(bytes)
  } catch (cause) {
    if (cause instanceof KeyFault)
      throw new UsageError(`--${option} ${path}: ${cause.message}`, { cause })
    throw cause
  }
}

async function readServerKey(
  path: string | undefined,
  terminal: Pick<Terminal, 'note'>,
): Promise<KeyObject | undefined> {
  try {
    return await readKey('server-key', path ?? standalone.serverKey, readPublicKey)
  } catch (cause) {
    if (path !== undefined) throw cause
    terminal.note(
      `No key at ${standalone.serverKey}: answers are not verified. ` +
        "Name the acquirer's public key with --server-key.",
    )
    return undefined
  }
}

async function readTls(values: CallerValues): Promise<Tls> {
  const { ca, cert, 'cert-key': certKey, insecure = false } = values
  if ((cert === undefined) !== (certKey === undefined))
    throw new UsageError('--cert and --cert-key are given together')
  return {
    ...(ca === undefined ? {} : { ca: await readKey('ca', ca, certificatesPem) }),
    ...(cert === undefined ? {} : { cert: await readKey('cert', cert, certificatesPem) }),
    ...(certKey === undefined ? {} : { key: await readKey('cert-key', certKey, keyPem) }),
    rejectUnauthorized: !insecure,
  }
}

const certificatesPem = (bytes: Uint8Array) => Buffer.from(readCertificates(bytes))
const keyPem = (bytes: Uint8Array) =>
  Buffer.from(readAnyPrivateKey(bytes).export({ type: 'pkcs8', format: 'pem' }))

/**
 * Reads a file that an option names.
 *
 * @throws UsageError when it cannot be read
 */
export async function readOptionFile(
  option: string,
  path: string,
  remedy?: string,
): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new UsageError(
      `--${option} ${path}: cannot be read (${why})${remedy === undefined ? '' : `; ${remedy}`}`,
      { cause },
    )
  }
}
