import { type KeyObject, createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { boolean, durationMs, list, port, readEnvironment, redisEnvironment } from '@placeorder/config'
import { z } from 'zod'

/** What an ingress reads from its environment. The README's table says what each is for. */
export const IngressEnvironment = z.object({
  ...redisEnvironment,
  HOST: z.string().min(1).default('0.0.0.0'),
  PORT: port.default(3000),
  ADMIN_HOST: z.string().min(1).default('0.0.0.0'),
  ADMIN_PORT: port.default(9100),
  PLACE_ORDER_PATH: z.string().startsWith('/').default('/aps/api/v1/payments/placeOrder'),
  INQUIRY_ORDER_PATH: z.string().startsWith('/').default('/aps/api/v1/payments/inquiryOrder'),
  CLIENTS_FILE: z.string().min(1).default('config/clients.json'),
  SIGNING_KEY_FILE: z.string().min(1).default('.data/keys/acquirer.pem'),
  SIGNING_KEY_VERSION: z.string().regex(/^\d{1,9}$/, 'is a whole number').default('1'),
  WAIT_MS: durationMs({ min: 100, max: 4_800 }).default(3_000),
  REQUEST_TIME_TOLERANCE_MS: durationMs({ min: 0 }).default(0),
  IN_HAND_MAX: z.coerce.number().int().min(1).default(2_000),
  OPEN_ORDERS_MAX: z.coerce.number().int().min(1).default(100_000),
  REPLICAS_MIN: z.coerce.number().int().min(0).default(0),
  TRUST_PROXY: list.default([]),
  TLS_CERT_FILE: z.string().min(1).optional(),
  TLS_KEY_FILE: z.string().min(1).optional(),
  TLS_CLIENT_CA_FILE: z.string().min(1).optional(),
})
