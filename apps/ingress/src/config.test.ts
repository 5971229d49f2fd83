import { readEnvironment } from '@placeorder/config'
import { expect, test } from 'vitest'
import { IngressEnvironment } from './config.ts'

test.each([
  [
    'a certificate without its key',
    { TLS_CERT_FILE: 'tls.pem' },
    'TLS_CERT_FILE: goes with TLS_KEY_FILE',
  ],
  [
    'an authority without a certificate',
    { TLS_CLIENT_CA_FILE: 'ca.pem' },
    'TLS_CLIENT_CA_FILE: needs',
  ],
  [
    'a proxy that is not an address',
    { TRUST_PROXY: 'balancer.local' },
    'TRUST_PROXY: must be addresses',
  ],
  ['an invalid range', { TRUST_PROXY: '10.0.0.0/33' }, 'TRUST_PROXY: must be addresses'],
  [
    'one path for both',
    { INQUIRY_ORDER_PATH: '/p', PLACE_ORDER_PATH: '/p' },
    'must be another path',
  ],
  [
    'a path with a parameter',
    { PLACE_ORDER_PATH: '/a/:v/b' },
    'PLACE_ORDER_PATH: must be a path as',
  ],
  [
    'a path with a wildcard',
    { INQUIRY_ORDER_PATH: '/a/*' },
    'INQUIRY_ORDER_PATH: must be a path as',
  ],
  ['a path that is encoded', { PLACE_ORDER_PATH: '/a%20b' }, 'PLACE_ORDER_PATH: must be a path as'],
  [
    'a path with a character to encode',
    { PLACE_ORDER_PATH: '/café' },
    'PLACE_ORDER_PATH: must be a path as',
  ],
  ['a path with a query', { PLACE_ORDER_PATH: '/a?b' }, 'PLACE_ORDER_PATH: must be a path as'],
  ['a path without a slash', { PLACE_ORDER_PATH: 'a' }, 'PLACE_ORDER_PATH: must be a path as'],
  [
    'a wait longer than that of callers',
    { WAIT_MS: '5001' },
    'WAIT_MS: must be a whole number from 50 to 4800',
  ],
])('an ingress does not start with %s, and says so', (_what, env, fault) => {
  expect(() => readEnvironment(IngressEnvironment, env)).toThrow(fault)
})

test.each(['/', '/place', '/aps/api/v1.2/payments/place-order_~'])('a path may be %s', (path) => {
  const { PLACE_ORDER_PATH } = readEnvironment(IngressEnvironment, { PLACE_ORDER_PATH: path })
  expect(PLACE_ORDER_PATH).toBe(path)
})

test('proxies are addresses, ranges, or ranges by name', () => {
  const { TRUST_PROXY } = readEnvironment(IngressEnvironment, {
    TRUST_PROXY: '10.0.0.0/8, ::1,loopback',
  })
  expect(TRUST_PROXY).toEqual(['10.0.0.0/8', '::1', 'loopback'])
})
