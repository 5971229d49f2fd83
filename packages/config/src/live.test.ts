import { mkdir, mkdtemp, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigFault } from './environment.ts'
import type { Live } from './live.ts'
import { liveFile } from './live-file.ts'

/** What changed is in force within this time (ms). */
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

/** A configuration of one word, which names another file by `->`. */
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

const comesToSay = (one: Live<string>, what: string) =>
  expect.poll(() => one.current, { timeout: WITHIN_MS, interval: 20 }).toBe(what)

describe.each(['a.conf', 'b.key'])('a change of %s is in force', (changed) => {
  const before = { 'a.conf': 'a->b.key', 'b.key': '1' }
  const after = changed === 'a.conf' ? 'A->b.key' : '2'
  const said = changed === 'a.conf' ? 'A1' : 'a2'

  async function write(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true })
    for (const [name, text] of Object.entries(before)) await writeFile(join(folder, name), text)
  }

  test('when it is written in place', async () => {
    await write(dir)
    const one = await openLive(at('a.conf'))
    await writeFile(at(changed), after)
    await comesToSay(one, said)
  })

  test('when another file is renamed to it', async () => {
    await write(dir)
    const one = await openLive(at('a.conf'))
    await writeFile(at('new'), after)
    await rename(at('new'), at(changed))
    await comesToSay(one, said)
  })

  test('when Kubernetes swaps the link of a ConfigMap or a Secret', async () => {
    await write(at('..1'))
    await write(at('..2'))
    await writeFile(join(at('..2'), changed), after)
    await symlink('..1', at('..data'))
    for (const name of Object.keys(before)) await symlink(`..data/${name}`, at(name))
    const one = await openLive(at('a.conf'))
    await symlink('..2', at('..data_tmp'))
    await rename(at('..data_tmp'), at('..data'))
    await comesToSay(one, said)
  })

  test('when its link leads to another folder, where it is written in place', async () => {
    await write(at('elsewhere'))
    for (const name of Object.keys(before)) await symlink(`elsewhere/${name}`, at(name))
    const one = await openLive(at('a.conf'))
    await writeFile(join(at('elsewhere'), changed), after)
    await comesToSay(one, said)
  })

  test('when it was away, which is reported once', async () => {
    await write(dir)
    const one = await openLive(at('a.conf'))
    await unlink(at(changed))
    await expect.poll(() => faults, { timeout: WITHIN_MS }).toHaveLength(1)
    await one.reload() // Asked for, so it is reported again.
    expect(faults).toHaveLength(2)
    await writeFile(at('another file'), 'which is looked at as well')
    await writeFile(at(changed), after)
    await comesToSay(one, said)
    expect(faults.map(String)).toEqual([
      expect.stringMatching(`${changed}: cannot be read \\(ENOENT\\): create it`),
      expect.stringMatching(`${changed}: cannot be read \\(ENOENT\\): create it`),
    ])
  })
})

describe('a file', () => {
  test('that arrives after the configuration that names it is read when it is there', async () => {
    await writeFile(at('a.conf'), 'old')
    const one = await openLive(at('a.conf'))
    await writeFile(at('a.conf'), 'new->later/b.key')
    await expect.poll(() => faults, { timeout: WITHIN_MS }).toHaveLength(1)
    expect(one.current).toBe('old')
    await mkdir(at('later'))
    await writeFile(at('later/b.key'), '2')
    await comesToSay(one, 'new2')
    expect(faults).toHaveLength(1)
  })

  test('that is away is reported once, however often it is looked for', async () => {
    await writeFile(at('a.conf'), 'old')
    await writeFile(at('other.conf'), '0')
    const [, other] = [await openLive(at('a.conf')), await openLive(at('other.conf'))]
    await unlink(at('a.conf'))
    await expect.poll(() => faults, { timeout: WITHIN_MS }).toHaveLength(1)
    for (const look of ['1', '2', '3']) {
      await writeFile(at('other.conf'), look)
      await comesToSay(other, look) // The change in their folder made both look.
    }
    expect(faults).toHaveLength(1)
  })

  test('that is broken leaves the version before in force', async () => {
    await writeFile(at('a.conf'), 'old')
    const one = await openLive(at('a.conf'))
    await writeFile(at('a.conf'), 'broken')
    await expect.poll(() => faults, { timeout: WITHIN_MS }).toHaveLength(1)
    expect(one.current).toBe('old')
  })

  test('may begin with a byte order mark', async () => {
    await writeFile(at('a.conf'), '\uFEFFword')
    expect((await openLive(at('a.conf'))).current).toBe('word')
  })

  test.each([
    ['is not there', undefined, /a\.conf: cannot be read \(ENOENT\): create it, or name another/],
    ['is UTF-16', Buffer.from('\uFEFFword', 'utf16le'), /a\.conf: is not UTF-8: save it as UTF-8/],
  ])('that %s stops the start', async (_what, content, fault) => {
    if (content !== undefined) await writeFile(at('a.conf'), content)
    await expect(openLive(at('a.conf'))).rejects.toThrow(fault)
  })
})
