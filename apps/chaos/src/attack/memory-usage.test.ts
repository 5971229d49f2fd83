import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, expect, test } from 'vitest'
import { openGarbageCollector } from './garbage-collector.ts'
import { MemoryWatch } from './memory-usage.ts'

const MIB = 60
/**
 * When it is sent `make`, a process makes so many MiB of numbers. At `release` it keeps them, or
 * does not.
 */
const program = (keeps: boolean) => `
  let made
  const kept = []
  process.stdin.on('data', (line) => {
    if (String(line) === 'make') {
      made = Array.from({ length: ${MIB} }, () => new Array(2 ** 17).fill(0.5))
    } else {
      ${keeps ? 'kept.push(made)' : ''}
      made = undefined
    }
    process.stdout.write('.')
  })`

const children = ['keeps', 'drops'].map(async (name) => {
  const { env, collect: collectGarbage } = await openGarbageCollector()
  const child = spawn(process.execPath, ['-e', program(name === 'keeps')], { env })
  const send = async (line: 'make' | 'release') => {
    child.stdin.write(line)
    await once(child.stdout, 'data')
  }
  await send('make')
  await send('release')
  return { name, pid: child.pid ?? 0, collectGarbage, send, child }
})
afterAll(async () => {
  for (const { child } of await Promise.all(children)) child.kill()
})

test('memory in use is distinguished from garbage', async () => {
  const processes = await Promise.all(children)
  const watch = new MemoryWatch(processes)
  try {
    await watch.warmedUp()
    await Promise.all(processes.map(({ send }) => send('make')))
    await watch.report()
    await Promise.all(processes.map(({ send }) => send('release')))
    const [keeping, dropping] = await watch.report()
    expect(keeping).toMatchObject({ name: 'keeps', isFlat: false })
    expect(dropping).toMatchObject({ name: 'drops', isFlat: true })
    expect(dropping?.most).toBeGreaterThan((dropping?.end ?? 0) + MIB / 2)
  } finally {
    watch.close()
  }
})
