import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigFault } from './environment.ts'
import type { Live } from './live.ts'
import { liveFile } from './live-file.ts'

/** A change takes effect within this time (ms). */
const WITHIN_MS = 2_000

let dir: string
let faults: unknown[]
let opened: Live<string>[]
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'placeorder-live-'))
  faults = []
  opened = []
})
afterEach(async () => {
  for (const one of opened) one.close()
  await rm(dir, { recursive: true })
})
const at = (name: string) => join(dir, name)

/** A configuration of one word, which names another file after `->`. */
async function openLive(path: string): Promise<Live<string>> {
  const one = await liveFile(
    path,
    async (text, _path, read) => {
      const [word = '', named] = text.split('->')
      if (word === 'broken') throw new ConfigFault(['it is broken'])
      return named === undefined ? word : word + (await read(join(path, '..', named))).toString()
    },
    (error) => faults.push(error),
  )
  opened.push(one)
  return one
}

const expectToBecome = (one: Live<string>, what: string) =>
  expect.poll(() => one.current, { timeout: WITHIN_MS, interval: 20 }).toBe(what)

describe.each(['a.conf', 'b.key'])('a change of %s takes effect', (changed) => {
  const before = { 'a.conf': 'a->b.key', 'b.key': '1' }
  const after = changed === 'a.conf' ? 'A->b.key' : '2'
  const expected = changed === 'a.conf' ? 'A1' : 'a2'

  async function write(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true })
    for (const [name, text] of Object.entries(before)) await writeFile(join(folder, name), text)
  }

  test('when it is written in place', async () => {
    await write(dir)
    const live = await openLive(at('a.conf'))
    await writeFile(at(changed), after)
    await expectToBecome(live, expected)
  })

  test('when another file is renamed to it', async () => {
    await write(dir)
    const live = await openLive(at('a.conf'))
    await writeFile(at('new'), after)
    await rename(at('new'), at(changed))
    await expectToBecome(live, expected)
  })

  test('when Kubernetes swaps the link of a ConfigMap or a Secret', async () => {
    await write(at('..1'))
    await write(at('..2'))
    await writeFile(join(at('..2'), changed), after)
    await symlink('..1', at('..data'))
    for (const name of Object.keys(before)) await symlink(`..data/${name}`, at(name))
    const live = await openLive(at('a.conf'))
    await symlink('..2', at('..data_tmp'))
    await rename(at('..data_tmp'), at('..data'))
    await expectToBecome(live, expected)
  })

  test('when its link leads to another folder, where it is written in place', async () => {
    await write(at('elsewhere'))
    for (const name of Object.keys(before)) await symlink(`elsewhere/${name}`, at(name))
    const live = await openLive(at('a.conf'))
    await writeFile(join(at('elsewhere'), changed), after)
    await expectToBecome(live, expected)
  })

  test('when it had been missing, which is reported once', async () => {
    await write(dir)
    const live = await openLive(at('a.conf'))
    await unlink(at(changed))
    await expect.poll(() => faults, { timeout: WITHIN_MS }).toHaveLength(1)
    await live.reload() // An explicit reload reports it again.
    expect(faults).toHaveLength(2)
    await writeFile(at('another file'), 'whose change triggers a check, too')
    await writeFile(at(changed), after)
    await expectToBecome(live, expected)
    expect(faults.map(String)).toEqual([
      expect.stringMatching(`${changed}: cannot be read \\(ENOENT\\): create it`),
      expect.stringMatching(`${changed}: cannot be read \\(ENOENT\\): create it`),
    ])
  })
})

describe('a file', () => {
  test('that is created after the one that names it is read once it exists', async () => {
    await writeFile(at('a.conf'), 'old')
    const live = await openLive(at('a.conf'))
    await writeFile(at('a.conf'), 'new->later/b.key')
    await expect.poll(() => faults, { timeout: WITHIN_MS }).toHaveLength(1)
    expect(live.current).toBe('old')
    await mkdir(at('later'))
    await writeFile(at('later/b.key'), '2')
    await expectToBecome(live, 'new2')
    expect(faults).toHaveLength(1)
  })

  test('that is missing is reported once, however often it is checked', async () => {
    await writeFile(at('a.conf'), 'old')
    await writeFile(at('other.conf'), '0')
    const [, other] = [await openLive(at('a.conf')), await openLive(at('other.conf'))]
    await unlink(at('a.conf'))
    await expect.poll(() => faults, { timeout: WITHIN_MS }).toHaveLength(1)
    for (const content of ['1', '2', '3']) {
      await writeFile(at('other.conf'), content)
      await expectToBecome(other, content) // The change in their folder triggered a check of both.
    }
    expect(faults).toHaveLength(1)
  })

  test('that is faulty leaves the version before in force', async () => {
    await writeFile(at('a.conf'), 'old')
    const live = await openLive(at('a.conf'))
    await writeFile(at('a.conf'), 'broken')
    await expect.poll(() => live.fault, { timeout: WITHIN_MS }).toBe('it is broken')
    expect([faults.length, live.current]).toEqual([1, 'old'])
    await writeFile(at('a.conf'), 'new')
    await expectToBecome(live, 'new')
    expect(live.fault).toBeUndefined()
  })

  test('may begin with a byte order mark', async () => {
    await writeFile(at('a.conf'), '\uFEFFword')
    expect((await openLive(at('a.conf'))).current).toBe('word')
  })

  test.each([
    ['does not exist', undefined, /a\.conf: cannot be read \(ENOENT\): create it, or name another/],
    ['is UTF-16', Buffer.from('\uFEFFword', 'utf16le'), /a\.conf: is not UTF-8: save it as UTF-8/],
  ])('that %s stops the start', async (_what, content, fault) => {
    if (content !== undefined) await writeFile(at('a.conf'), content)
    await expect(openLive(at('a.conf'))).rejects.toThrow(fault)
  })
})
