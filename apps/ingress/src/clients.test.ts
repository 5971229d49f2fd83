import { ConfigFault } from '@placeorder/config'
import { expect, test } from 'vitest'
import { parseClients } from './clients.ts'

const key = (version: string, publicKeyFile: string) => ({ version, publicKeyFile })
const client = { clientId: 'A', acquirerIds: ['1'], keys: [key('1', 'missing-1.pem')] }

test('every fault of a clients file is named at once', async () => {
  const keys = [key('1', 'missing-2.pem'), key('1', 'missing-3.pem'), key('one', 'missing-4.pem')]
  const file = { clients: [client, { ...client, acquirers: ['1'], keys }, 'B'] }
  const error = await parseClients(JSON.stringify(file), '/nowhere/clients.json').catch(
    (error) => error,
  )
  expect(error).toBeInstanceOf(ConfigFault)
  const faults: string[] = error.faults
  expect(faults.toSorted()).toEqual([
    expect.stringMatching(/clients\.0\.keys\.0\.publicKeyFile: .*missing-1\.pem/),
    expect.stringMatching(/clients\.1\.clientId: A is used twice/),
    expect.stringMatching(/clients\.1\.keys\.0\.publicKeyFile: .*missing-2\.pem/),
    expect.stringMatching(/clients\.1\.keys\.1\.publicKeyFile: .*missing-3\.pem/),
    expect.stringMatching(/clients\.1\.keys\.1\.version: 1 is used twice/),
    expect.stringMatching(/clients\.1\.keys\.2\.publicKeyFile: .*missing-4\.pem/),
    expect.stringMatching(/clients\.1\.keys\.2\.version: is a whole number in a string/),
    expect.stringMatching(/clients\.1: .*acquirers/),
    expect.stringMatching(/clients\.2: /),
  ])
})

test.each([
  ['text of a request', 'ACQ.2026.{"a":1}'],
  ['empty', ''],
  ['with a dot', 'a.b'],
  ['of non-ASCII letters', 'CLI\u00c9NT'],
  ['too long', 'x'.repeat(65)],
  ['with a line end', 'A\n'],
  ['the reserved one', 'UNKNOWN'],
])(
  'a clientId that is %s stops the start: it would be part of what we sign',
  async (_what, clientId) => {
    const file = JSON.stringify({ clients: [{ ...client, clientId }] })
    const { faults } = await parseClients(file, '/nowhere/clients.json').catch((error) => error)
    expect(faults).toContainEqual(
      expect.stringMatching(/clients\.0\.clientId: is (1 to 64|reserved)/),
    )
  },
)
