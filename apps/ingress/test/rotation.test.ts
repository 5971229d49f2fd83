import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  aPlaceOrder,
  type Ingress,
  openSystem,
  type SignedAnswer,
  signedCall,
  untilAdmitted,
} from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'

const system = await openSystem()
afterAll(() => system.close())
await system.startWorker()
const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2048 })
const pathOf = (name: string) => join(system.dir, name)
const pem = (key: KeyObject) =>
  key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' })

const anotherOrder = () => aPlaceOrder({ customerId: `customer-${Math.random()}` })
const place = (ingress: Ingress, caller: Parameters<typeof signedCall>[2]) =>
  untilAdmitted(() =>
    signedCall(`${ingress.origin}/aps/api/v1/payments/placeOrder`, anotherOrder(), caller),
  )

test("a client's next key works beside the old one until that is removed", async () => {
  const clientsFile = pathOf('next-clients.json')
  const next = rsa()
  await writeFile(pathOf('alipay-2.pub.pem'), pem(next.publicKey))
  const { clients } = JSON.parse(await readFile(pathOf('clients.json'), 'utf8'))
  const keys = [
    { version: '1', publicKeyFile: 'alipay.pub.pem' },
    { version: '2', publicKeyFile: 'alipay-2.pub.pem' },
  ]
  const use = (inForce: typeof keys) =>
    writeFile(clientsFile, JSON.stringify({ clients: [{ ...clients[0], keys: inForce }] }))
  await use(keys.slice(0, 1))
  const ingress = await system.startIngress({ CLIENTS_FILE: clientsFile })
  const withOld = async () => (await place(ingress, system.caller)).code
  const withNext = async () =>
    (await place(ingress, { ...system.caller, key: next.privateKey, keyVersion: '2' })).code

  expect([await withOld(), await withNext()]).toEqual(['SUCCESS', 'KEY_NOT_FOUND'])
  await use(keys)
  await expect.poll(withNext, { timeout: 10_000 }).toBe('SUCCESS')
  expect(await withOld()).toBe('SUCCESS')
  await use(keys.slice(1))
  await expect.poll(withOld, { timeout: 10_000 }).toBe('KEY_NOT_FOUND')
  expect(await withNext()).toBe('SUCCESS')
})

test('our key and its version change at once under load, and every answer is good', async () => {
  const keys = { 7: rsa(), 8: rsa() }
  for (const [version, { privateKey }] of Object.entries(keys))
    await writeFile(pathOf(`acquirer-${version}.pem`), pem(privateKey))
  const sign = (version: string) =>
    writeFile(
      pathOf('signing.json'),
      JSON.stringify({ version, privateKeyFile: `acquirer-${version}.pem` }),
    )
  await sign('7')
  const ingress = await system.startIngress({ SIGNING_KEY_FILE: pathOf('signing.json') })
  const serverKey = (version: string | undefined) =>
    version === '7' ? keys[7].publicKey : version === '8' ? keys[8].publicKey : undefined
  const answers: SignedAnswer[] = []
  const versions = () => new Set(answers.slice(-20).map(({ keyVersion }) => keyVersion))
  let calling = true
  const callers = Array.from({ length: 5 }, async () => {
    while (calling) answers.push(await place(ingress, { ...system.caller, serverKey }))
  })
  try {
    await expect.poll(versions, { timeout: 10_000 }).toEqual(new Set(['7']))
    await sign('8')
    await expect.poll(versions, { timeout: 10_000 }).toEqual(new Set(['8']))
  } finally {
    calling = false
    await Promise.all(callers)
  }
  expect(answers.filter(({ verified, code }) => !verified || code !== 'SUCCESS')).toEqual([])
})

test('a faulty signing file leaves the key before in force, and is logged', async () => {
  const ingress = await system.startIngress({
    SIGNING_KEY_FILE: pathOf('acquirer.pem'),
    SIGNING_KEY_VERSION: '3',
  })
  await writeFile(pathOf('acquirer.pem'), '{ "version": "4", "privateKeyFile": "nowhere.pem" }')
  await ingress.waitFor(/nowhere\.pem: cannot be read \(ENOENT\).*a changed file is faulty/)
  expect(await place(ingress, system.caller)).toMatchObject({ verified: true, keyVersion: '3' })
})
