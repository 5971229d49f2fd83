import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, expect, test } from 'vitest'
import { openGarbageCollector } from './garbage-collector.ts'
import { MemoryWatch } from './memory-usage.ts'

const MIB = 60
/** For each line it is sent, a process makes so many MiB of numbers, and keeps them or does not. */
const program = (keeps: boolean) => `
  const kept = []
  process.stdin.on('data', () => {
    const made = Array.from({ length: ${MIB} }, () => new Array(2 ** 17).fill(0.5))
    ${keeps ? 'kept.push(made)' : ''}
    process.stdout.write('.')
  })`

const children = ['keeps', 'drops'].map(async (name) => {
  const { env, collect: collectGarbage } = await openGarbageCollector()
  const child = spawn(process.execPath, ['-e', program(name === 'keeps')], { env })
  const make = async () => {
    child.stdin.write('\n')
    await once(child.stdout, 'data')
  }
  await make()
  return { name, pid: child.pid ?? 0, collectGarbage, make, child }
})
afterAll(async () => {
  for (const { child } of await Promise.all(children)) child.kill()
})

test('memory in use is distinguished from garbage', async () => {
  const processes = await Promise.all(children)
  const watch = new MemoryWatch(processes)
  try {
    await watch.warmedUp()
    await Promise.all(processes.map(({ make }) => make()))
    const [keeping, dropping] = await watch.report()
    expect(keeping).toMatchObject({ name: 'keeps', isFlat: false })
    expect(dropping).toMatchObject({ name: 'drops', isFlat: true })
  } finally {
    watch.close()
  }
})
