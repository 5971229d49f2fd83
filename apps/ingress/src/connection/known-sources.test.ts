import { openMetrics } from '@placeorder/telemetry'
import { expect, test } from 'vitest'
import { observeAnswers } from '../observer.ts'

const quiet = { info: () => {}, debug: () => {} }
const answered = { endpoint: 'place', paymentId: undefined, reason: 'no', seconds: 0.001 } as const
const bad = { ...answered, code: 'INVALID_SIGNATURE', verified: false }

test('a bad signature counts as the client’s own from an address it has used', async () => {
  const metrics = openMetrics('ingress')
  const count = observeAnswers(metrics, quiet)
  const from = (address: string) => ({ clientId: 'C-1', address: () => address })
  count({ ...bad, ...from('10.0.0.1') })
  count({ ...answered, code: 'SUCCESS', verified: true, ...from('10.0.0.1') })
  count({ ...bad, ...from('10.0.0.1') })
  count({ ...bad, ...from('10.0.0.2') })
  count({ ...bad, ...from('10.0.0.1'), clientId: 'C-2' })
  count({ ...bad, ...from('10.0.0.1'), clientId: undefined })
  const { values } = await metrics.signatureFailures.get()
  const counted = values.map(({ labels, value }) => [labels.client, labels.source, value])
  expect(counted.sort()).toEqual([
    ['C-1', 'known', 1],
    ['C-1', 'unknown', 2],
    ['C-2', 'unknown', 1],
  ])
  expect((await metrics.verified.get()).values).toMatchObject([{ value: 1 }])
})
