import { readEnvironment } from '@placeorder/config'
import { expect, test } from 'vitest'
import { StandaloneEnvironment } from './config.ts'
import { hintFor, placeOrderUrl } from './sample.ts'

const keys = { acquirer: '/d/keys/acquirer', caller: '/d/keys/alipay-1' }
const place = 'npm run simulator -- place'
const path = '/aps/api/v1/payments/placeOrder'

test.each([
  ['nothing', {}, 3000, `http://127.0.0.1:3000${path}`, place],
  [
    'another port',
    {},
    3001,
    `http://127.0.0.1:3001${path}`,
    `${place} --url http://127.0.0.1:3001`,
  ],
  [
    'an address',
    { HOST: '::1' },
    3000,
    `http://[::1]:3000${path}`,
    `${place} --url http://[::1]:3000`,
  ],
  [
    'a path',
    { PLACE_ORDER_PATH: '/p' },
    3000,
    'http://127.0.0.1:3000/p',
    `${place} --url http://127.0.0.1:3000/p`,
  ],
  [
    'a certificate',
    { TLS_CERT_FILE: 'c.pem' },
    3000,
    `https://127.0.0.1:3000${path}`,
    `${place} --url https://127.0.0.1:3000 --insecure`,
  ],
  [
    'another folder',
    { DATA_DIR: '/d' },
    3000,
    `http://127.0.0.1:3000${path}`,
    `${place} --key /d/keys/alipay-1.pem --server-key /d/keys/acquirer.pub.pem`,
  ],
])('with %s set, the hint has the URL and keys of placeOrder', (_what, env, port, url, hint) => {
  const environment = readEnvironment(StandaloneEnvironment, env)
  expect(placeOrderUrl(environment, port)).toBe(url)
  expect(hintFor(environment, url, keys)).toBe(hint)
})
