import { openMetrics } from '@placeorder/telemetry'
import { expect, test } from 'vitest'
import { openApiDocument } from './openapi/document.ts'
import { buildView } from './operator-view.ts'

const paths = { placeOrder: '/acquirer/place', inquireOrder: '/acquirer/inquire' }

test('the admin port serves the API document of this ingress, with the paths it listens on', async () => {
  const { app, close } = buildView({
    host: '127.0.0.1',
    port: 0,
    metrics: openMetrics('ingress'),
    redis: async () => undefined,
    signer: { inFlight: 0 },
    admission: { inHand: 0 },
    orders: { backlog: async () => ({ open: 0, oldest: undefined }) },
    shards: 1,
    openApi: openApiDocument(paths),
  })
  const answered = await app.inject('/openapi.json')
  expect(answered.headers['content-type']).toContain('application/json')
  expect(Object.keys(answered.json().paths)).toEqual(Object.values(paths))
  await close()
})
