import { generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { aPlaceOrder, openSystem, signedCall } from '@placeorder/testkit'
import { afterAll, describe, expect, test } from 'vitest'

const system = await openSystem()
afterAll(() => system.close())
const at = (name: string) => join(system.dir, name)
const { clients } = JSON.parse(await readFile(at('clients.json'), 'utf8'))
const policy = JSON.parse(await readFile(at('policy.json'), 'utf8'))
const next = generateKeyPairSync('rsa', { modulusLength: 2048 })
const nextDer = next.publicKey.export({ type: 'spki', format: 'der' })
const [ingress, worker] = await Promise.all([system.startIngress(), system.startWorker()])

const placeAs = async (caller: typeof system.caller) => {
  const order = aPlaceOrder({ customerId: `customer-${Math.random()}` })
  const url = `${ingress.origin}/aps/api/v1/payments/placeOrder`
  return (await signedCall(url, order, caller)).code
}
const place = () => placeAs(system.caller)
const withNext = () => placeAs({ ...system.caller, key: next.privateKey, keyVersion: '2' })

/** A busy machine refuses an order now and then, so it is polled. */
const expectCode = (placing: () => Promise<string>, code: string) =>
  expect.poll(placing, { timeout: 15_000 }).toBe(code)

describe('SIGHUP', () => {
  test.each([
    ['an ingress', ingress, /SIGHUP.*the files were read again/],
    ['a worker', worker, /SIGHUP.*the policy was read again/],
  ])('makes %s read its files again, and ends nothing', async (_who, running, line) => {
    running.kill('SIGHUP')
    await running.waitFor(line)
    running.kill('SIGHUP')
    await expectCode(place, 'SUCCESS')
    expect(await Promise.race([running.exited, Promise.resolve('running')])).toBe('running')
  })
})

describe('a file that is named before it exists', () => {
  test("is read once it exists: a client's key, in base64 as portals show it", async () => {
    const keys = [...clients[0].keys, { version: '2', publicKeyFile: 'later.pub' }]
    await writeFile(at('clients.json'), JSON.stringify({ clients: [{ ...clients[0], keys }] }))
    await ingress.waitFor(/later\.pub: cannot be read \(ENOENT\).*a changed file is faulty/)
    expect(await withNext()).toBe('KEY_NOT_FOUND')
    await writeFile(at('later.pub'), nextDer.toString('base64'))
    await expectCode(withNext, 'SUCCESS')
    await expectCode(place, 'SUCCESS')
  })

  test("is read once it exists: a check's module; and again when it changes", async () => {
    const check = { name: 'later', module: './later.mjs', after: 'code', timeoutMs: 1_000 }
    await writeFile(at('policy.json'), JSON.stringify({ ...policy, checks: [check] }))
    await worker.waitFor(/later\.mjs: cannot be read \(ENOENT\).*policy is faulty/)
    await expectCode(place, 'SUCCESS')
    await writeFile(at('later.mjs'), "export default () => 'RISK_REJECT'\n")
    await expectCode(place, 'RISK_REJECT')
    await writeFile(at('later.mjs'), "export default () => 'ORDER_IS_CLOSED'\n")
    await expectCode(place, 'ORDER_IS_CLOSED')
  })
})

test('a refused key is logged with its fix, and those before stay in force', async () => {
  await writeFile(at('alipay.pub.pem'), await readFile(at('alipay.pem')))
  await ingress.waitFor(/alipay\.pub\.pem: holds a private key: .*give the public one/)
  await expectCode(withNext, 'ORDER_IS_CLOSED')
  await expectCode(place, 'ORDER_IS_CLOSED')
})
