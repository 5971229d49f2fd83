import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { makeKeys, writeKeys } from '../../test/keys.ts'
import { recorder } from '../../test/recorder.ts'
import { SmallAcquirer } from '../../test/small-acquirer.ts'
import { UsageError } from '../cli/command.ts'
import { command as inquire } from '../inquire/command.ts'
import { command as place } from './command.ts'

const standardOrder = new URL('../../../../config/sample-order.json', import.meta.url)
const keys = makeKeys()
let files: Awaited<ReturnType<typeof writeKeys>>
let dir: string
let acquirer: SmallAcquirer
beforeAll(async () => {
  files = await writeKeys(keys)
  dir = await mkdtemp(join(tmpdir(), 'place-'))
})
afterAll(async () => {
  await files[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
})
beforeEach(async () => {
  acquirer = await new SmallAcquirer(keys).listen()
})
afterEach(() => acquirer[Symbol.asyncDispose]())

async function run(command: typeof place, ...args: string[]) {
  const { terminal, out, err } = recorder()
  const options = ['--url', acquirer.url.href, '--key', files.key, '--server-key', files.serverKey]
  const code = await command.run([...options, ...args], terminal)
  return { code, out: out(), err: err() }
}

describe('place', () => {
  test('shows the request as sent, the answer, and a verified signature', async () => {
    const { code, out } = await run(place)
    expect(code).toBe(0)
    const [seen] = acquirer.received
    expect(out).toContain(`POST ${acquirer.url.href}`)
    expect(out).toContain(`Signature: ${seen?.signature}`)
    expect(out).toContain(seen?.body.toString())
    expect(out).toContain('"resultCode":"SUCCESS"')
    expect(out).toMatch(/^signature +verified$/m)
    expect(out).toMatch(/^result +S SUCCESS +paymentRequestId R\d+$/m)
  })

  test('places the order of placeOrder.txt under a new paymentId each time', async () => {
    await run(place)
    await run(place)
    expect(acquirer.orders.size).toBe(2)
    const [{ order } = { order: undefined }] = acquirer.orders.values()
    expect(order).toMatchObject({
      codeValue: '281004132828992222233',
      paymentAmount: { value: '100', currency: 'CNY' },
    })
  })

  test('--set changes fields of the order and adds missing ones', async () => {
    await run(
      place,
      ...['--set', 'merchant.merchantMCC=7995', '--set', 'made.of.it=a=b.c'],
      ...['--set', 'passThroughInfo=note', '--payment-id', 'P-set'],
    )
    expect(JSON.parse(acquirer.received[0]?.body.toString() ?? '')).toMatchObject({
      paymentId: 'P-set',
      passThroughInfo: 'note',
      merchant: { merchantName: 'UGG', merchantMCC: '7995' },
      made: { of: { it: 'a=b.c' } },
    })
    await expect(run(place, '--set', '=text')).rejects.toThrow(UsageError)
    await expect(run(place, '--set', 'a=b', '--keep-payment-id')).rejects.toThrow(UsageError)
  })

  test('--payment-id names the order', async () => {
    await run(place, '--payment-id', 'P-1')
    expect([...acquirer.orders.keys()]).toEqual(['P-1'])
  })

  test('--keep-payment-id sends the bytes of the file unchanged', async () => {
    const order = await readFile(standardOrder, 'utf8')
    const bytes = `\n${order.replace('"pspId":', '"pspId"   :')}\n`
    const sample = join(dir, 'order.json')
    await writeFile(sample, bytes)
    expect((await run(place, '--sample', sample, '--keep-payment-id')).code).toBe(0)
    expect(acquirer.received[0]?.body.toString()).toBe(bytes)
  })

  test.each([
    ['an answer that was not expected', { code: 'RISK_REJECT' }, /F RISK_REJECT/],
    ['a wrong signature', { wrongSignature: true }, /^signature +WRONG$/m],
    ['no signature', { unsigned: true }, /^signature +MISSING$/m],
    ['a dropped connection', { drop: true }, /no answer/],
    ['another HTTP status', { httpStatus: 503 }, /HTTP status 503/],
  ] as const)('%s exits with 1', async (_name, behaviour, text) => {
    acquirer.override = () => behaviour
    const { code, out } = await run(place)
    expect(code).toBe(1)
    expect(out).toMatch(text)
  })

  test('--expect names another expected code', async () => {
    acquirer.override = () => ({ code: 'RISK_REJECT' })
    expect((await run(place, '--expect', 'RISK_REJECT')).code).toBe(0)
  })

  test('--until-final repeats and inquires until S or F', async () => {
    acquirer.override = (seen, nth) => {
      const stored = acquirer.orders.get(seen.paymentId)
      if (nth === 3 && stored)
        acquirer.orders.set(seen.paymentId, { ...stored, outcome: 'SUCCESS' })
      return { code: 'PAYMENT_IN_PROCESS' }
    }
    const { code, out } = await run(place, '--until-final', '--time-factor', '0.001')
    expect(code).toBe(0)
    expect(acquirer.received.map(({ kind }) => kind)).toEqual([
      'place',
      'place',
      'inquire',
      'inquire',
    ])
    expect(out).toMatch(/s inquire +S SUCCESS/)
  })

  test('--json prints requests and answers', async () => {
    const { out } = await run(place, '--json', '--payment-id', 'P-2')
    expect(JSON.parse(out)).toMatchObject({
      result: { kind: 'RESULT', status: 'S', code: 'SUCCESS', paymentRequestId: 'RP-2' },
      steps: [
        {
          kind: 'PLACE',
          request: {
            headers: { 'Client-Id': 'SANDBOX_5Y00000000000001' },
            body: { paymentId: 'P-2' },
          },
          answer: {
            httpStatus: 200,
            signature: 'GOOD',
            body: { result: { resultCode: 'SUCCESS' } },
          },
        },
      ],
    })
  })

  test('a sample that is not a JSON object can only be sent unchanged', async () => {
    const sample = join(dir, 'text.json')
    await writeFile(sample, 'not JSON')
    await expect(run(place, '--sample', sample)).rejects.toThrow(UsageError)
    expect((await run(place, '--sample', sample, '--keep-payment-id')).code).toBe(1)
  })
})

describe('inquire', () => {
  test('prints the result of an order', async () => {
    await run(place, '--payment-id', 'P-3')
    const { code, out } = await run(inquire, 'P-3')
    expect(code).toBe(0)
    expect(out).toMatch(/^the order +S SUCCESS +paymentRequestId RP-3$/m)
    expect(out).toMatch(/^signature +verified$/m)
  })

  test('an order that the acquirer does not know exits with 1', async () => {
    const { code, out } = await run(inquire, 'P-4')
    expect(code).toBe(1)
    expect(out).toContain('the acquirer has no such order')
  })

  test('--expect names the expected code', async () => {
    await run(place, '--payment-id', 'P-5')
    expect((await run(inquire, 'P-5', '--expect', 'RISK_REJECT')).code).toBe(1)
    expect((await run(inquire, 'P-5', '--expect', 'SUCCESS')).code).toBe(0)
  })
})
