import { runChild } from './child.ts'
import type { StandaloneEnvironment } from './config.ts'

/** The key files of both sides, without their endings. */
export type Keys = { acquirer: string; caller: string }

/** Where an ingress of this environment takes orders, as this machine reaches it. */
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
  keys: Keys,
  env: Record<string, string>,
  say: (line: string) => void,
): Promise<number> {
  if (environment.TLS_CLIENT_CA_FILE !== undefined) {
    say('callers need a certificate of TLS_CLIENT_CA_FILE: no order is placed by itself')
    return 0
  }
  say('placing the order of placeOrder.txt\n')
  const args = ['place', ...optionsFor(environment, placeOrder, keys)]
  return runChild('apps/simulator/src/main.ts', args, env)
}

/** The command that places another order. */
export function hintFor(
  environment: StandaloneEnvironment,
  placeOrder: string,
  keys: Keys,
): string {
  const withCert = environment.TLS_CLIENT_CA_FILE === undefined ? '' : ' --cert … --cert-key …'
  const options = optionsFor(environment, placeOrder, keys).join(' ')
  return `npm run simulator -- place ${options}${withCert}`
}

/** The certificate is of a name that callers know, not of this machine's address; the answer's signature is verified all the same. */
const optionsFor = ({ TLS_CERT_FILE }: StandaloneEnvironment, placeOrder: string, keys: Keys) => [
  ...['--url', placeOrder, '--key', `${keys.caller}.pem`],
  ...['--server-key', `${keys.acquirer}.pub.pem`],
  ...(TLS_CERT_FILE === undefined ? [] : ['--insecure']),
]
