import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { aPlaceOrder, openSystem, signedCall, untilAdmitted } from '@placeorder/testkit'
import { afterAll, expect, test } from 'vitest'

const allowed = '203.0.113.7'
const system = await openSystem()
afterAll(() => system.close())
const file = join(system.dir, 'clients.json')
const { clients } = JSON.parse(await readFile(file, 'utf8'))
await writeFile(
  file,
  JSON.stringify({ clients: [{ ...clients[0], addresses: [`${allowed}/32`, '2001:db8::/48'] }] }),
)
const [behindProxy, direct] = await Promise.all([
  system.startIngress({ TRUST_PROXY: '127.0.0.1, 10.0.0.0/8' }),
  system.startIngress(),
  system.startWorker(),
])

const forwarded = async ({ origin }: { origin: string }, by: string) => {
  const headers: Record<string, string> = by === '' ? {} : { 'x-forwarded-for': by }
  const url = `${origin}/aps/api/v1/payments/placeOrder`
  const call = () => signedCall(url, aPlaceOrder(), system.caller, { headers })
  return (await untilAdmitted(call)).code
}

test.each([
  ['a caller at an allowed address', allowed, 'SUCCESS'],
  ['a caller in an allowed range', '2001:db8::5', 'SUCCESS'],
  ['an allowed caller, through two proxies', `${allowed}, 10.1.2.3`, 'SUCCESS'],
  ['an allowed caller with its port', `${allowed}:51234`, 'SUCCESS'],
  ['an IPv6 caller with its port', '[2001:db8::5]:51234', 'SUCCESS'],
  ['an IPv6 caller in quotes', '"[2001:db8::5]"', 'SUCCESS'],
  ['an IPv4 caller in its IPv6 form', `::ffff:${allowed}`, 'SUCCESS'],
  ['proxies that write ports', `${allowed}:51234, 10.1.2.3:443`, 'SUCCESS'],
  ['a caller elsewhere with its port', '198.51.100.1:51234', 'ACCESS_DENIED'],
  ['a caller elsewhere', '198.51.100.1', 'ACCESS_DENIED'],
  [
    'a caller elsewhere that claims to forward for an allowed one',
    `${allowed}, 198.51.100.1`,
    'ACCESS_DENIED',
  ],
  ['the proxy itself', '', 'ACCESS_DENIED'],
  ['no address at all', 'unknown', 'ACCESS_DENIED'],
])('behind a trusted proxy, %s: %s is answered %s', async (_who, by, code) => {
  expect(await forwarded(behindProxy, by)).toBe(code)
})

test('the log names the address that was refused', async () => {
  const lines = async (by: string, expected: RegExp) => {
    await forwarded(behindProxy, by)
    await behindProxy.waitFor(expected)
  }
  await lines('198.51.100.77:1', /may not call from 198\.51\.100\.77"/)
  await lines(`_${'x'.repeat(500)}`, /may not call from \\"_x{63}\\", which is not an address/)
})

test('an X-Forwarded-For of an untrusted peer is ignored', async () => {
  expect(await forwarded(direct, allowed)).toBe('ACCESS_DENIED')
})
