import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { standaloneFolder, startProcess } from '@placeorder/testkit'
import { afterEach, expect, test, vi } from 'vitest'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 })

let folder: Awaited<ReturnType<typeof standaloneFolder>>
afterEach(() => folder.close())

/** Runs a command of the operator to its end, without saying where anything is. */
async function command(name: string, ...args: string[]) {
  const entry = `apps/operator/src/${name}/main.ts`
  const running = startProcess({ name, entry, args, env: { DATA_DIR: folder.dir } })
  return { exit: await running.exited, text: running.lines.join('\n') }
}

test('npm start archives what it places, and commands find it there', async () => {
  folder = await standaloneFolder()
  const { up, lines, waitFor } = await folder.startUp()
  expect(lines.join('\n')).toMatch(/started PostgreSQL \d+.* durable, in .*postgres/)
  const all = { timeout: 60_000, interval: 250 }
  await vi.waitFor(
    async () => expect((await command('archive', 'status')).text).toMatch(/all archived/),
    all,
  )
  const span = ['--from', '2020-01-01', '--to', '2100-01-01']
  const found = await command('orders', 'find', '--merchant', 'M00000000001', ...span)
  expect([found.exit, found.text]).toEqual([0, expect.stringContaining('SUCCESS')])

  process.kill(up.postgres?.pid ?? -1, 'SIGQUIT')
  await waitFor(/PostgreSQL ended by itself/)
  await waitFor(/PostgreSQL is up again/)
  expect((await folder.written()).postgres?.port).toBe(up.postgres?.port)
  expect((await command('archive', 'verify')).exit).toBe(0)
})

test('without a PostgreSQL npm start says in a line that orders stay in Redis', async () => {
  folder = await standaloneFolder()
  const data = join(folder.dir, 'postgres/data')
  await mkdir(data, { recursive: true })
  await writeFile(join(data, 'PG_VERSION'), '99\n')
  const { up, lines } = await folder.startUp()
  const said = lines.filter((line) => line.includes('orders stay in Redis'))
  expect(said).toEqual([expect.stringMatching(/the files in .* are of PostgreSQL 99/)])
  expect(up.notifier).toBeUndefined() // The sample has no sinks.
  expect([up.archiver, up.postgres, up.environment.ARCHIVE_URL]).toEqual(Array(3).fill(undefined))
  expect(await readFile(join(data, 'PG_VERSION'), 'utf8')).toBe('99\n')
})
