import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { recorder } from '../../test/recorder.ts'
import { type Command, UsageError } from './command.ts'
import { runSimulator } from './run-command.ts'

const commands: Command[] = [
  { name: 'good', summary: 'Succeeds.', run: async () => 0 },
  {
    name: 'bad',
    summary: 'Gets invalid arguments.',
    run: async () => {
      throw new UsageError('not like this')
    },
  },
  {
    name: 'broken',
    summary: 'Throws.',
    run: async () => {
      throw new Error('a bug')
    },
  },
]

describe('runSimulator', () => {
  test.each([
    ['a command', ['good'], 0],
    ['a command with invalid arguments', ['bad'], 2],
    ['an unknown command', ['nothing'], 2],
    ['no command', [], 2],
    ['--help', ['--help'], 0],
    ['--version', ['--version'], 0],
  ])('%s exits with %j', async (_name, args, code) => {
    expect(await runSimulator(args, commands, recorder().terminal, '1.2.3')).toBe(code)
  })

  test('prints on standard error what was wrong and where help is', async () => {
    const { terminal, out, err } = recorder()
    await runSimulator(['bad'], commands, terminal, '1.2.3')
    expect(out()).toBe('')
    expect(err()).toBe('not like this\nSee: simulator bad --help\n')
  })

  test('throws an unexpected error', async () => {
    await expect(runSimulator(['broken'], commands, recorder().terminal, '1.2.3')).rejects.toThrow(
      'a bug',
    )
  })
})

describe('the process', () => {
  const run = async (...args: string[]) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, '../main.ts'), ...args])
    const [out, err, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit'),
    ])
    return { out, err, code }
  }

  test('lists its commands', async () => {
    const { out, code } = await run('--help')
    expect(code).toBe(0)
    for (const name of ['place', 'inquire', 'load', 'keys']) expect(out).toContain(`  ${name} `)
  })

  test.each(['place', 'inquire', 'load', 'keys'])('%s --help prints its options', async (name) => {
    const { out, code } = await run(name, '--help')
    expect(code).toBe(0)
    expect(out).toContain(`simulator ${name}`)
    expect(out).toMatch(/--json/)
    expect(out).not.toContain('\x1b[')
  })

  test.each([
    ['an unknown option', ['place', '--colour'], '--colour'],
    ['a word too many', ['keys', 'please'], 'please'],
    ['no paymentId', ['inquire'], 'inquire <paymentId>'],
    ['a URL that is not http', ['place', '--url', 'ftp://x'], '--url ftp://x'],
    ['a key that does not exist', ['place', '--key', '/nowhere.pem'], 'simulator keys'],
    ['a rate that is not a number', ['load', '--rate', 'fast'], '--rate fast'],
    ['a mix with an unknown kind', ['load', '--mix', 'old=1'], "'old'"],
    ['a load without new orders', ['load', '--mix', 'repeat=1'], 'without new orders'],
    ['more requests than memory holds', ['load', '--rate', '5000', '--duration', '3600'], '200000'],
  ])('%s exits with 2 and a message', async (_name, args, text) => {
    const { err, code } = await run(...args)
    expect(code).toBe(2)
    expect(err).toContain(text)
  })
})
