import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@placeorder/local-services/redis'
import { aPlaceOrder, openSystem, type RunningProcess, startProcess } from '@placeorder/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'

const examples = join(import.meta.dirname, '../../../docs/examples')
const PolicyFile = z.looseObject({})

/** A system whose policy has these checks. */
async function systemWith(checks: unknown[], env: Record<string, string> = {}) {
  const system = await openSystem({ env })
  onTestFinished(() => system.close())
  const path = join(system.dir, 'policy.json')
  const policy = PolicyFile.parse(JSON.parse(await readFile(path, 'utf8')))
  await writeFile(path, JSON.stringify({ ...policy, checks }))
  return system
}

async function startExample(port: number): Promise<RunningProcess> {
  const service = startProcess({
    name: 'check service',
    entry: 'docs/examples/check-service.ts',
    args: [String(port)],
  })
  onTestFinished(() => service.kill('SIGKILL'))
  await service.waitFor(/^checking$/)
  return service
}

/** The part of the policy that docs/checks.md shows. */
async function checksInDoc(): Promise<unknown[]> {
  const doc = await readFile(join(examples, '../checks.md'), 'utf8')
  const [, shown = ''] = /```json\n([\s\S]*?)```/.exec(doc) ?? []
  return z.object({ checks: z.array(z.looseObject({})) }).parse(JSON.parse(shown)).checks
}

test('the checks of docs/checks.md, a service and a module, decide orders as it says', {
  timeout: 60_000,
}, async () => {
  const port = await freePort()
  const checks = (await checksInDoc()).map((check) =>
    JSON.parse(
      JSON.stringify(check)
        .replace('127.0.0.1:4000', `127.0.0.1:${port}`)
        .replace(/"[^"]*docs\/examples\//, `"${examples}/`),
    ),
  )
  const system = await systemWith(checks)
  const merchant = { merchantId: 'M00000000099', status: 'ACTIVE' as const, kybLevel: 3 }
  const contract = { pspIds: ['*'], status: 'ACTIVE' as const, from: '2020-01-01T00:00:00Z' }
  const terms = { codeTypes: ['ENTRY_CODE' as const], currencies: ['CNY'] }
  const code = {
    codeValue: 'C-99',
    type: 'ENTRY_CODE' as const,
    merchantId: 'M00000000099',
    status: 'OPEN' as const,
  }
  await system.put([{ ...merchant, contracts: [{ ...contract, ...terms }] }], [code])
  const service = await startExample(port)
  const [ingress] = await Promise.all([system.startIngress(), system.startWorker()])
  const good = aPlaceOrder()
  expect(await ingress.place(good)).toMatchObject({ code: 'SUCCESS' })
  await service.waitFor(new RegExp(`^${good.acquirerId}:${good.paymentId}: SUCCESS$`))
  const suspect = aPlaceOrder({
    codeValue: 'C-99',
    merchant: { referenceMerchantId: 'M00000000099' },
  })
  expect(await ingress.place(suspect)).toMatchObject({ code: 'RISK_REJECT' })
})

test('a check’s passThroughInfo is answered by every endpoint alike', {
  timeout: 60_000,
}, async () => {
  const info = '{"coupon": "漢字 A-1"}'
  const check = { name: 'coupon', module: './coupon.mjs', timeoutMs: 1_000, after: 'amount' }
  const system = await systemWith([check])
  await writeFile(
    join(system.dir, 'coupon.mjs'),
    `export default ({ order: { passThroughInfo: resultCode } }) =>
      ({ resultCode, passThroughInfo: ${JSON.stringify(info)} })`,
  )
  const [one, other] = await Promise.all([
    system.startIngress(),
    system.startIngress(),
    system.startWorker(),
  ])
  const patiently = { timeout: 10_000 } // A busy machine refuses some calls.
  for (const code of ['SUCCESS', 'RISK_REJECT']) {
    const order = aPlaceOrder({ passThroughInfo: code })
    const { acquirerId, pspId, paymentId } = order
    const answer = { code, verified: true, body: { passThroughInfo: info } }
    let body: unknown
    const place = async () => {
      const placed = await one.place(order)
      body = placed.body
      return placed
    }
    await expect.poll(place, patiently).toMatchObject(answer)
    for (const ingress of [one, other]) {
      const textOf = async () => JSON.stringify((await ingress.place(order)).body)
      await expect.poll(textOf, patiently).toBe(JSON.stringify(body))
      const expected = { orderResult: { resultCode: code }, passThroughInfo: info }
      await expect
        .poll(async () => (await ingress.inquire({ acquirerId, pspId, paymentId })).body, patiently)
        .toMatchObject(expected)
    }
  }
})

test('an order that a check cannot decide is U at once, and decided later', {
  timeout: 90_000,
}, async () => {
  const port = await freePort()
  const system = await systemWith([
    { name: 'suspects', url: `http://127.0.0.1:${port}/`, timeoutMs: 500, after: 'code' },
  ])
  const [ingress, worker] = await Promise.all([system.startIngress(), system.startWorker()])
  const [order, refused] = [aPlaceOrder(), aPlaceOrder({ codeValue: 'unknown' })]
  const answered = await ingress.place(order)
  expect(answered).toMatchObject({ code: 'UNKNOWN_EXCEPTION', verified: true })
  expect(await ingress.place(refused)).toMatchObject({ code: 'INVALID_CODE' })
  await Promise.all(Array.from({ length: 10 }, () => ingress.place(aPlaceOrder())))
  await worker.waitFor(/a check keeps failing and is not called/)
  await startExample(port)
  await worker.waitFor(/a check answers again/)
  await expect
    .poll(async () => (await ingress.place(order)).code, { timeout: 20_000, interval: 200 })
    .toBe('SUCCESS')
})

test('an order whose check hangs delays none of its neighbours', {
  timeout: 90_000,
}, async () => {
  const hanging = `
    export default ({ order }) =>
      order.passThroughInfo === 'hang' ? new Promise(() => {}) : 'SUCCESS'`
  const check = { name: 'hanging', module: './hanging.mjs', timeoutMs: 30_000, after: 'amount' }
  const system = await systemWith([check], { CHECKS_MS: '30000' })
  await writeFile(join(system.dir, 'hanging.mjs'), hanging)
  const ingress = await system.startIngress()
  const neighbours = Array.from({ length: 20 }, () => aPlaceOrder({ customerId: randomUUID() }))
  const hung = aPlaceOrder({ passThroughInfo: 'hang' })
  // Without a worker, all of them are accepted and wait: the hanging one in the midst of them.
  const together = [...neighbours.slice(0, 10), hung, ...neighbours.slice(10)]
  const taken = await Promise.all(together.map((order) => ingress.place(order)))
  expect(new Set(taken.map(({ code }) => code))).toEqual(new Set(['PAYMENT_IN_PROCESS']))
  await system.startWorker()
  const later = Array.from({ length: 20 }, () => aPlaceOrder({ customerId: randomUUID() }))
  const codes = async () => {
    const answers = await Promise.all(
      [...neighbours, ...later].map((order) => ingress.place(order)),
    )
    return [...new Set(answers.map(({ code }) => code))]
  }
  await expect.poll(codes, { timeout: 20_000 }).toEqual(['SUCCESS'])
  const { acquirerId, pspId, paymentId } = hung
  const found = await ingress.inquire({ acquirerId, pspId, paymentId })
  expect(found.body).toMatchObject({ orderResult: { resultStatus: 'U' } })
})

test('a check module that cannot be loaded stops the start, and is named', {
  timeout: 60_000,
}, async () => {
  const system = await systemWith([
    { name: 'lost', module: './lost.ts', timeoutMs: 100, after: 'amount' },
  ])
  const starting = system.startWorker()
  await expect(starting).rejects.toThrow(/checks\.0 lost: the module cannot be used: /)
})

test('SIGHUP while a worker reads its files does not end it', { timeout: 60_000 }, async () => {
  const system = await systemWith([
    { name: 'slow', module: './slow.mjs', timeoutMs: 1_000, after: 'amount' },
  ])
  const mayGoOn = join(system.dir, 'go-on')
  await writeFile(
    join(system.dir, 'slow.mjs'),
    `import { existsSync } from 'node:fs'
     import { setTimeout as wait } from 'node:timers/promises'
     console.log('loading', process.pid)
     while (!existsSync(${JSON.stringify(mayGoOn)})) await wait(10)
     export default () => 'SUCCESS'`,
  )
  const worker = await system.startWorker({}, (line) => {
    if (!line.startsWith('loading')) return
    process.kill(Number(line.split(' ')[1]), 'SIGHUP')
    writeFileSync(mayGoOn, '')
  })
  expect(worker.lines.join('\n')).toContain('"working"')
})
