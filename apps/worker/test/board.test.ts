import { randomUUID } from 'node:crypto'
import { openWorkerStore, orderIdOf } from '@placeorder/store'
import { openSystem } from '@placeorder/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'

const token = randomUUID()
const system = await openSystem({ env: { SHARDS: '2' } })
const address = { urls: [system.redisUrl], cluster: false, sentinels: [], sentinelName: '' }
const store = await openWorkerStore({ address, shards: 2, onFault: () => {} })
const [shown, written, off] = await Promise.all([
  system.startWorker({ ADMIN_TOKEN: token }),
  system.startWorker({ ADMIN_TOKEN: token, BOARD_WRITES: 'true' }),
  system.startWorker(),
])
afterAll(async () => {
  await store.close()
  await system.close()
})

/** A job that no worker takes for a while. */
const jobId = `t-${randomUUID()}`
beforeAll(() =>
  store.queues.enqueue(
    1,
    jobId,
    { orderIds: [orderIdOf({ acquirerId: 'A-1', paymentId: 'P-1' })] },
    600_000,
  ),
)

const bearer = { authorization: `Bearer ${token}` }
const call = (admin: string, path: string, init: RequestInit = { headers: bearer }) =>
  fetch(`${admin}/board${path}`, init)
const promote = (admin: string, headers: Record<string, string>) =>
  call(admin, `/api/queues/${encodeURIComponent('s1 orders')}/${jobId}/promote`, {
    method: 'PUT',
    headers,
  })

const Shown = z.object({
  queues: z.array(
    z.object({
      name: z.string(),
      counts: z.looseObject({ delayed: z.number() }),
      readOnlyMode: z.boolean(),
    }),
  ),
})

describe('the board', () => {
  test.each([
    ['nothing', undefined],
    ['another token', `Bearer ${randomUUID()}`],
    ['a beginning of the token', `Bearer ${token.slice(0, -1)}`],
    ['the token with more', `Bearer ${token}x`],
    ['another password', `Basic ${Buffer.from(`admin:${randomUUID()}`).toString('base64')}`],
  ])('rejects %s', async (_what, authorization) => {
    for (const path of ['/', '/api/queues', '/static/images/logo.svg']) {
      const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
      expect((await call(shown.admin, path, { headers })).status).toBe(401)
    }
  })

  test.each([
    ['a Bearer token', bearer.authorization],
    ['a password', `Basic ${Buffer.from(`whoever:${token}`).toString('base64')}`],
  ])('accepts the token as %s', async (_how, authorization) => {
    const page = await call(shown.admin, '/', { headers: { authorization } })
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('placeorder')
  })

  test('shows the queue of each shard, and its jobs', async () => {
    const { queues } = Shown.parse(await (await call(shown.admin, '/api/queues')).json())
    const observer = queues.map(({ name, counts, readOnlyMode }) => [
      name,
      counts.delayed,
      readOnlyMode,
    ])
    expect(observer).toEqual([
      ['s0 orders', 0, true],
      ['s1 orders', 1, true],
    ])
  })

  test('changes jobs only if configured to, and never for another site', async () => {
    expect((await promote(shown.admin, bearer)).status).toBe(403)
    expect(
      (await promote(written.admin, { ...bearer, 'sec-fetch-site': 'cross-site' })).status,
    ).toBe(403)
    expect(await store.queues.queue(1).getJob(jobId)).toBeDefined()
    expect((await promote(written.admin, bearer)).ok).toBe(true)
    await expect
      .poll(() => store.queues.queue(1).getJob(jobId), { timeout: 10_000 })
      .toBeUndefined()
  })

  test('does not exist without a token', async () => {
    expect((await call(off.admin, '/')).status).toBe(404)
  })
})
