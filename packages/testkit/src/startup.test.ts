import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { startProcess } from './start-process.ts'
import { openSystem } from './system.ts'

vi.setConfig({ testTimeout: 60_000 })

/** Runs a program to its end. */
async function run(entry: string, args: string[], env: Record<string, string> = {}) {
  const started = startProcess({ name: entry, entry: `${entry}/main.ts`, args, env })
  const code = await started.exited
  return { code, lines: started.lines, text: started.lines.join('\n') }
}

const processes = ['apps/ingress/src', 'apps/worker/src', 'apps/archiver/src', 'apps/notifier/src']
const commands = [
  'apps/standalone/src',
  'apps/operator/src/orders',
  'apps/operator/src/directory',
  'apps/operator/src/archive',
  'apps/operator/src/events',
  'apps/simulator/src',
  'apps/bench/src',
  'apps/chaos/src',
]

test.each([...processes, ...commands])(
  '%s --help prints a help, and starts nothing',
  async (entry) => {
    const { code, lines, text } = await run(entry, ['--help'], { REDIS_URL: 'no', PORT: 'no' })
    expect(code).toBe(0)
    expect(lines.length).toBeGreaterThan(3)
    expect(text).not.toMatch(/"level"|^•|not start/m)
  },
)

test.each([...processes, 'apps/standalone/src'])('%s --halp is refused', async (entry) => {
  const { code, text } = await run(entry, ['--halp'])
  expect([code, text]).toEqual([2, expect.stringContaining('--halp')])
})

const Line = z.object({
  level: z.literal(60),
  msg: z.literal('did not start'),
  faults: z.array(z.string()),
})

test.each([
  [
    'bad variables and files',
    { PORT: 'x', SHARDS: '0', CLIENTS_FILE: '/no.json', SIGNING_KEY_FILE: '/no.pem' },
    ['PORT: must be', 'SHARDS: must be', '/no.json: cannot', '/no.pem: cannot'],
  ],
  [
    'files that are not there',
    {
      CLIENTS_FILE: '/no.json',
      SIGNING_KEY_FILE: '/no.pem',
      REDIS_URL: 'rediss://127.0.0.1:1',
      REDIS_TLS_CA_FILE: '/no.ca',
    },
    ['/no.json: cannot', '/no.pem: cannot', 'REDIS_TLS_CA_FILE: /no.ca cannot'],
  ],
])(
  'an ingress with %s reports every fault in one block and one line',
  async (_what, env, faults) => {
    const { code, lines, text } = await run('apps/ingress/src', [], env)
    expect(code).toBe(1)
    const json = lines.filter((line) => line.startsWith('{'))
    const block = lines.filter((line) => !line.startsWith('{'))
    expect(json).toHaveLength(1)
    expect(Line.parse(JSON.parse(json[0] ?? '')).faults).toHaveLength(faults.length)
    expect(block[0]).toBe('ingress did not start:')
    expect(block).toHaveLength(1 + faults.length)
    for (const fault of faults) expect(block.join('\n')).toContain(`  - ${fault}`)
    expect(text).not.toMatch(/\n {4}at |"stack"|Node\.js v\d/)
  },
)

test('an ingress whose port is taken reports the port and what to do', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const system = await openSystem()
  try {
    await expect(system.startIngress({ PORT: String(port) })).rejects.toThrow(
      `port ${port} at 127.0.0.1 is in use: stop the process that listens there, or set PORT`,
    )
  } finally {
    await system.close()
    server.close()
  }
})
