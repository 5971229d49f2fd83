import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  aPlaceOrder,
  type Ingress,
  openSystem,
  type RunningProcess,
  type System,
  signedCall,
} from '@placeorder/testkit'
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
} from 'vitest'

const run = promisify(execFile)
const WAIT_MS = 3_000

describe('two ingresses and two workers on one Redis', () => {
  let system: System
  let one: Ingress
  let two: Ingress
  beforeAll(async () => {
    system = await openSystem()
    ;[one, two] = await Promise.all([system.startIngress(), system.startIngress()])
    await Promise.all([system.startWorker(), system.startWorker()])
  })
  afterAll(() => system.close())

  test('the sample order, signed by OpenSSL and sent by curl, gets a signed SUCCESS', async () => {
    const path = '/aps/api/v1/payments/placeOrder'
    const time = '2026-01-02T03:04:05+08:00'
    const body = await readFile(join(import.meta.dirname, '../../../config/sample-order.json'))
    const file = (name: string) => join(system.dir, name)
    const text = (t: string, b: Buffer) =>
      Buffer.concat([Buffer.from(`POST ${path}\n${system.caller.clientId}.${t}.`), b])
    await writeFile(file('body.json'), body)
    await writeFile(file('signed'), text(time, body))
    await run('openssl', [
      'dgst',
      '-sha256',
      '-sign',
      file('alipay.pem'),
      '-out',
      file('signature'),
      file('signed'),
    ])
    const signature = encodeURIComponent((await readFile(file('signature'))).toString('base64'))
    const { stdout } = await run('curl', [
      '-sS', '--fail', '-D', file('headers'), '-X', 'POST', `${one.origin}${path}`,
      '-H', `Client-Id: ${system.caller.clientId}`, '-H', `Request-Time: ${time}`,
      '-H', `Signature: algorithm=RSA256, keyVersion=1, signature=${signature}`,
      '-H', 'Content-Type: application/json; charset=UTF-8',
      '--data-binary', `@${file('body.json')}`,
    ]) // biome-ignore format: one option a line says less
    expect(JSON.parse(stdout).result.resultCode).toBe('SUCCESS')
    const headers = (await readFile(file('headers'), 'latin1')).split('\r\n')
    const header = (name: string) =>
      headers.find((line) => line.toLowerCase().startsWith(name))?.slice(name.length + 2) ?? ''
    const answerSignature = /signature=(.+)$/.exec(header('signature'))?.[1] ?? ''
    await writeFile(file('answer'), text(header('response-time'), Buffer.from(stdout)))
    await writeFile(file('answer.sig'), Buffer.from(decodeURIComponent(answerSignature), 'base64'))
    const verified = await run('openssl', [
      'dgst', '-sha256', '-verify', file('acquirer.pub.pem'),
      '-signature', file('answer.sig'), file('answer'),
    ]) // biome-ignore format: one option a line says less
    expect(verified.stdout).toContain('Verified OK')
  })

  test('fifty simultaneous copies at two ingresses are one order', async () => {
    const order = aPlaceOrder()
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => (i % 2 ? one : two).place(order)),
    )
    expect(new Set(answers.map(({ code }) => code))).toEqual(new Set(['SUCCESS']))
    expect(new Set(answers.map(({ paymentRequestId }) => paymentRequestId)).size).toBe(1)
    expect(answers.every(({ verified, status }) => verified && status === 200)).toBe(true)
  })

  test.each([
    [
      'amount',
      {
        paymentAmount: { value: '101', currency: 'CNY' },
        settlementAmount: { value: '101', currency: 'CNY' },
      },
    ],
    ['settlement amount', { settlementAmount: { value: '99', currency: 'CNY' } }],
    ['paymentRequestId', { paymentRequestId: 'R-changed' }],
  ])(
    'a changed %s is REPEAT_REQ_INCONSISTENT after the order, at either ingress',
    async (_name, change) => {
      const order = aPlaceOrder()
      expect(await one.place(order)).toMatchObject({ code: 'SUCCESS' })
      expect(await two.place({ ...order, ...change })).toMatchObject({
        code: 'REPEAT_REQ_INCONSISTENT',
        verified: true,
      })
      expect(await one.place(order)).toMatchObject({ code: 'SUCCESS' })
    },
  )

  test('a changed merchant or env is the same order', async () => {
    const order = aPlaceOrder()
    const { paymentRequestId } = await one.place(order)
    const merchant = { ...order.merchant, referenceMerchantId: 'M-unknown' }
    expect(await two.place({ ...order, merchant, env: { osType: 'IOS' } })).toMatchObject({
      code: 'SUCCESS',
      paymentRequestId,
    })
  })

  test('one paymentId of two acquirers is two orders with separate answers', async () => {
    const order = aPlaceOrder()
    const amount = { value: '70', currency: 'CNY' }
    const other = {
      ...order,
      acquirerId: 'A:2 {s0}',
      paymentAmount: amount,
      settlementAmount: amount,
    }
    const [first, second] = await Promise.all([one.place(order), two.place(other)])
    expect([first.code, second.code]).toEqual(['SUCCESS', 'SUCCESS'])
    expect(first.paymentRequestId).not.toBe(second.paymentRequestId)
    for (const [{ acquirerId, pspId, paymentId, paymentAmount }, { paymentRequestId }] of [
      [order, first] as const,
      [other, second] as const,
    ]) {
      const inquired = await two.inquire({ acquirerId, pspId, paymentId })
      expect(inquired.body).toMatchObject({ paymentRequestId, paymentAmount })
      expect(await one.place({ ...other, acquirerId })).toMatchObject(
        acquirerId === other.acquirerId
          ? { paymentRequestId }
          : { code: 'REPEAT_REQ_INCONSISTENT' },
      )
    }
  })

  test.each([
    [
      'an unknown merchant',
      { merchant: { referenceMerchantId: 'M-unknown' } },
      'MERCHANT_NOT_REGISTERED',
    ],
    ['an unknown code', { codeValue: 'unknown' }, 'INVALID_CODE'],
    [
      'amounts that differ',
      { settlementAmount: { value: '99', currency: 'CNY' } },
      'PAYMENT_AMOUNT_INVALID',
    ],
  ])('%s is refused for good', async (_name, change, code) => {
    const order = aPlaceOrder(change)
    expect(await one.place(order)).toMatchObject({ code, verified: true })
    expect(await two.place(order)).toMatchObject({ code, verified: true })
  })

  test('an inquiry at another ingress gets the outcome, or ORDER_NOT_EXIST', async () => {
    const order = aPlaceOrder()
    const { paymentRequestId } = await one.place(order)
    const { acquirerId, pspId, paymentId } = order
    const answer = await two.inquire({ acquirerId, pspId, paymentId })
    expect(answer).toMatchObject({ code: 'SUCCESS', verified: true })
    expect(answer.body).toMatchObject({ orderResult: { resultCode: 'SUCCESS' }, paymentRequestId })
    expect(await one.inquire({ acquirerId, pspId, paymentId: 'never' })).toMatchObject({
      code: 'ORDER_NOT_EXIST',
      verified: true,
    })
    expect(await one.inquire({ acquirerId, pspId: 'another', paymentId })).toMatchObject({
      code: 'ORDER_NOT_EXIST',
    })
  })
})

describe('with no worker running', () => {
  let system: System
  let ingress: Ingress
  beforeEach(async () => {
    system = await openSystem({ env: { WAIT_MS: String(WAIT_MS) } })
    ingress = await system.startIngress()
  })
  afterEach(() => system.close())

  test('the answer is PAYMENT_IN_PROCESS in time, and the outcome once a worker runs', {
    retry: 2, // Other work on the machine only adds to the time.
  }, async () => {
    const order = aPlaceOrder()
    const first = await ingress.place(order)
    expect(first).toMatchObject({
      code: 'PAYMENT_IN_PROCESS',
      verified: true,
      paymentRequestId: undefined,
    })
    expect(first.tookMs).toBeLessThan(WAIT_MS + 200)
    const changed = { ...order, settlementAmount: { value: '1', currency: 'CNY' } }
    expect(await ingress.place(changed)).toMatchObject({ code: 'REPEAT_REQ_INCONSISTENT' })
    const { acquirerId, pspId, paymentId } = order
    const open = await ingress.inquire({ acquirerId, pspId, paymentId })
    expect(open.body).toMatchObject({
      orderResult: { resultCode: 'PAYMENT_IN_PROCESS', resultStatus: 'U' },
    })
    await system.startWorker()
    expect(await ingress.place(order)).toMatchObject({ code: 'SUCCESS' })
    const answer = await ingress.inquire({ acquirerId, pspId, paymentId })
    expect(answer.body).toMatchObject({ orderResult: { resultCode: 'SUCCESS', resultStatus: 'S' } })
  })
})

test('both processes end within 2 s of SIGTERM with every order in flight answered', {
  retry: 2, // Other work on the machine only adds to the time.
}, async () => {
  const system = await openSystem({ env: { WAIT_MS: '1500' } })
  onTestFinished(() => system.close())
  const ingress = await system.startIngress()
  const worker = await system.startWorker()
  const url = `${ingress.origin}/aps/api/v1/payments/placeOrder`
  const place = () => signedCall(url, aPlaceOrder(), system.caller)
  const inFlight = Array.from({ length: 200 }, place)
  await Promise.race(inFlight)
  const ended = (process: RunningProcess) => {
    const started = performance.now()
    process.kill('SIGTERM')
    return process.exited.then((how) => ({ how, ms: performance.now() - started }))
  }
  const [first, second] = await Promise.all([ended(ingress), ended(worker)])
  const answers = await Promise.all(inFlight)
  expect(answers.every(({ verified, status }) => verified && status === 200)).toBe(true)
  expect(first).toMatchObject({ how: 0 })
  expect(second).toMatchObject({ how: 0 })
  expect(Math.max(first.ms, second.ms)).toBeLessThan(2_000)
})
