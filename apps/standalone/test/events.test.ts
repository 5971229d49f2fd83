import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { standaloneFolder, startProcess } from '@placeorder/testkit'
import { afterEach, expect, test, vi } from 'vitest'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 })

let folder: Awaited<ReturnType<typeof standaloneFolder>>
afterEach(() => folder.close())

test('npm start delivers what it places to the sinks of EVENTS_FILE', async () => {
  folder = await standaloneFolder()
  const subjects = new Set<string>()
  const receiver = createServer(async (request, response) => {
    const { subject } = (await json(request)) as { subject: string }
    subjects.add(subject)
    response.end()
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`
  const secrets = [`whsec_${Buffer.alloc(32, 1).toString('base64')}`]
  const EVENTS_FILE = join(folder.dir, 'events.json')
  const sinks = [{ name: 'till', type: 'webhook', url, secrets }]
  await writeFile(EVENTS_FILE, JSON.stringify({ sinks }))

  const { up, lines } = await folder.startUp({ EVENTS_FILE })
  expect(lines).toContainEqual(expect.stringMatching(/started ingress, worker.* and notifier$/))
  expect((await fetch(`${up.notifier?.admin}/livez`)).status).toBe(200)
  const place = async (paymentId: string) => {
    const key = join(folder.dir, 'keys/alipay-1.pem')
    const args = ['place', '--url', up.placeOrder, '--key', key, '--payment-id', paymentId]
    const entry = 'apps/simulator/src/main.ts'
    await startProcess({ name: 'simulator', entry, args }).exited
  }
  // A sink is sent what is concluded once it is there.
  let placed = 0
  await vi.waitFor(
    async () => {
      placed += 1
      await place(`P-${placed}`)
      expect([...subjects].filter((subject) => subject.startsWith('P-'))).not.toEqual([])
    },
    { timeout: 60_000, interval: 500 },
  )
  receiver.closeAllConnections()
  receiver.close()
})
