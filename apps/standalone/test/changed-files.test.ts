import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { aPlaceOrder, openSystem, type System, signedCall } from '@placeorder/testkit'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { z } from 'zod'

const PolicyFile = z.looseObject({ kyb: z.looseObject({ levelMin: z.number() }) })
const ClientsFile = z.object({ clients: z.array(z.looseObject({ clientId: z.string() })) })

/**
 * A change is in force within a second or two on a quiet machine; a loaded one is given longer
 * (ms).
 */
const inTime = { timeout: 20_000, interval: 100 }

vi.setConfig({ testTimeout: 90_000 })

let system: System
beforeEach(async () => {
  system = await openSystem()
})
afterEach(() => system.close())

/** An order of a customer without other orders. */
const anOrder = () => aPlaceOrder({ customerId: randomUUID() })

const placed = (ingress: Awaited<ReturnType<System['startIngress']>>) => async () =>
  (await ingress.place(anOrder())).code

test('a worker uses a changed policy; a broken one changes nothing and is logged', async () => {
  const [ingress, worker] = await Promise.all([system.startIngress(), system.startWorker()])
  const place = placed(ingress)
  const path = join(system.dir, 'policy.json')
  const policy = PolicyFile.parse(JSON.parse(await readFile(path, 'utf8')))
  const strict = { ...policy, kyb: { levelMin: 3 } }
  expect(await place()).toBe('SUCCESS')
  await writeFile(path, JSON.stringify(strict))
  await expect.poll(place, inTime).toBe('MERCHANT_KYB_NOT_QUALIFIED')

  await writeFile(path, '{ "kyb": ')
  await worker.waitFor(/is not JSON/)
  expect(await place()).toBe('MERCHANT_KYB_NOT_QUALIFIED')
  const faulty = {
    ...policy,
    limits: { timeZone: 'Mars' },
    risk: [{ name: 'typo', reject: 'order.mcc == 1' }],
  }
  await writeFile(path, JSON.stringify(faulty))
  const line = await worker.waitFor(/no time zone/)
  expect(line).toContain('the version before stays in force')
  expect(line).toMatch(/risk\[0\] typo: .*order has no field mcc/)
  expect(await place()).toBe('MERCHANT_KYB_NOT_QUALIFIED')

  await writeFile(`${path}.new`, JSON.stringify(policy))
  await rename(`${path}.new`, path) // As editors and Kubernetes replace a file.
  await expect.poll(place, inTime).toBe('SUCCESS')
})

test('an ingress uses changed clients; broken ones change nothing and are logged', async () => {
  const [ingress] = await Promise.all([system.startIngress(), system.startWorker()])
  const path = join(system.dir, 'clients.json')
  const { clients } = ClientsFile.parse(JSON.parse(await readFile(path, 'utf8')))
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  await writeFile(
    join(system.dir, 'second.pub.pem'),
    publicKey.export({ type: 'spki', format: 'pem' }),
  )
  const second = {
    clientId: 'SECOND',
    acquirerIds: ['1020000000000000001'],
    keys: [{ version: '1', publicKeyFile: 'second.pub.pem' }],
  }
  const url = `${ingress.origin}/aps/api/v1/payments/placeOrder`
  const placeAsSecond = async () =>
    (await signedCall(url, anOrder(), { ...system.caller, clientId: 'SECOND', key: privateKey }))
      .code
  expect(await placeAsSecond()).toBe('INVALID_CLIENT')
  await writeFile(path, JSON.stringify({ clients: [...clients, second] }))
  await expect.poll(placeAsSecond, inTime).toBe('SUCCESS')

  const lost = [{ version: '1', publicKeyFile: 'lost.pem' }]
  await writeFile(
    path,
    JSON.stringify({
      clients: [
        { ...clients[0], keys: lost },
        { ...second, keys: lost },
      ],
    }),
  )
  const line = await ingress.waitFor(/lost\.pem/)
  expect(line).toContain('the version before stays in force')
  for (const at of [0, 1]) expect(line).toContain(`clients.${at}.keys.0.publicKeyFile: `)
  expect(await placeAsSecond()).toBe('SUCCESS')
  expect(await placed(ingress)()).toBe('SUCCESS')

  await writeFile(path, JSON.stringify({ clients: [second] }))
  await expect.poll(placed(ingress), inTime).toBe('INVALID_CLIENT')
})
