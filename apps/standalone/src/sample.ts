import { DATA_DIR } from '@placeorder/config'
import { runChild } from './child.ts'
import { PLACE_ORDER_PATH, PORT, type StandaloneEnvironment } from './config.ts'

/** The key files of both sides, without their extensions. */
export type KeyStems = { acquirer: string; caller: string }

/** The URL of placeOrder for this machine. */
export function placeOrderUrl(
  { HOST, TLS_CERT_FILE, PLACE_ORDER_PATH }: StandaloneEnvironment,
  port: number,
): string {
  const scheme = TLS_CERT_FILE === undefined ? 'http' : 'https'
  const host = HOST === '0.0.0.0' || HOST === '::' ? '127.0.0.1' : HOST
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}${PLACE_ORDER_PATH}`
}

/** Places the order of placeOrder.txt, and resolves with the exit code. */
export async function placeSample(
  environment: StandaloneEnvironment,
  placeOrder: string,
  keys: KeyStems,
  env: Record<string, string>,
  say: (line: string) => void,
): Promise<number> {
  if (environment.TLS_CLIENT_CA_FILE !== undefined) {
    say('callers need a certificate of TLS_CLIENT_CA_FILE: the sample order is not placed')
    return 0
  }
  say('placing the order of placeOrder.txt\n')
  const args = ['place', '--url', placeOrder, ...keyOptions(keys), ...tlsOptions(environment)]
  return runChild('apps/simulator/src/main.ts', args, env)
}

/**
 * The command that places another order, with the options that differ from the simulator's
 * defaults.
 */
export function hintFor(
  environment: StandaloneEnvironment,
  placeOrder: string,
  keys: KeyStems,
): string {
  const { origin, pathname } = new URL(placeOrder)
  const url = pathname === PLACE_ORDER_PATH ? origin : placeOrder
  const isUsual = url === `http://127.0.0.1:${PORT}`
  const files = environment.DATA_DIR === DATA_DIR ? [] : keyOptions(keys)
  const mutual = environment.TLS_CLIENT_CA_FILE === undefined ? [] : ['--cert … --cert-key …']
  const options = [...(isUsual ? [] : ['--url', url]), ...files, ...tlsOptions(environment)]
  return ['npm run simulator -- place', ...options, ...mutual].join(' ')
}

const keyOptions = (keys: KeyStems) => [
  ...['--key', `${keys.caller}.pem`],
  ...['--server-key', `${keys.acquirer}.pub.pem`],
]

/**
 * The certificate is for the callers' host name, not this machine's address. The signature of the
 * answer is verified nevertheless.
 */
const tlsOptions = ({ TLS_CERT_FILE }: StandaloneEnvironment) =>
  TLS_CERT_FILE === undefined ? [] : ['--insecure']
