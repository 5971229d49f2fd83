import { openOperatorStore } from '@placeorder/store'
import { startCluster } from '@placeorder/testkit'
import { afterAll, expect, test, vi } from 'vitest'
import { stepNames } from '../src/archive/reshard/steps.ts'
import { openReshardSystem } from './reshard-system.ts'

vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 })

const cluster = await startCluster()
afterAll(() => cluster.close())
const { address, serve, change, expectRecentOrdersKept } = await openReshardSystem(
  { REDIS_URL: cluster.urls.join(','), REDIS_CLUSTER: 'true' },
  2,
)

test('the number of shards of a Cluster changes, after deaths between steps too', async () => {
  await serve(2)
  let shards = 2
  for (const [to, until] of [
    [5, stepNames[1]],
    [3, stepNames.at(-2)],
  ] as const) {
    await expect(change(to, until === undefined ? {} : { until })).rejects.toThrow('died after')
    await expect(openOperatorStore({ address, shards, onFault: () => {} })).rejects.toThrow(
      `end that with npm run archive -- reshard ${to}`,
    )
    expect(await change(to)).toMatchObject({ exit: 0, err: '' })
    shards = to
    await serve(to)
  }
  expectRecentOrdersKept()
})
