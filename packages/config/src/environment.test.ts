import { expect, test } from 'vitest'
import { z } from 'zod'
import { ConfigFault, readEnvironment, withAllFaults } from './environment.ts'
import { archiveUrl, list, port } from './fields.ts'

test('a fault names the variable, and the entry of a list after its first', () => {
  const Ports = z.object({ PORTS: list.pipe(z.array(port)), PORT: port })
  const read = () => readEnvironment(Ports, { PORTS: 'a,1,b', PORT: 'x' })
  const fault = 'must be a whole number from 0 to 65535'
  expect(read).toThrow(
    new ConfigFault([`PORTS: ${fault}`, `PORTS (entry 3): ${fault}`, `PORT: ${fault}`]),
  )
})

const faulty = async (...faults: string[]): Promise<never> => {
  throw new ConfigFault(faults)
}

test('the faults of all files and variables are reported at once', async () => {
  const made = withAllFaults([faulty('a.json: is not JSON'), 1, faulty('B: x', 'C: y')])
  await expect(made).rejects.toEqual(new ConfigFault(['a.json: is not JSON', 'B: x', 'C: y']))
})

test('what is made without a fault is returned in its order', async () => {
  expect(await withAllFaults([Promise.resolve('a'), 1])).toEqual(['a', 1])
})

test('what is not a fault of the configuration is thrown as it is', async () => {
  const bug = new TypeError('x is not a function')
  await expect(withAllFaults([faulty('A: x'), Promise.reject(bug)])).rejects.toBe(bug)
})

test.each([
  ['another scheme', 'http://user:secret@h/db', /must be postgres:\/\/user/],
  [
    'a file that is not there',
    'postgres://user:secret@h/db?sslmode=verify-full&sslrootcert=/no.ca&sslkey=/no.key',
    /ARCHIVE_URL: sslrootcert \/no.ca cannot be read \(ENOENT\): create it.*\n.*sslkey \/no.key/,
  ],
])('an ARCHIVE_URL with %s is a fault without the password', (_what, ARCHIVE_URL, fault) => {
  const read = () => readEnvironment(z.object({ ARCHIVE_URL: archiveUrl }), { ARCHIVE_URL })
  expect(read).toThrow(fault)
  expect(read).not.toThrow(/secret/)
})
