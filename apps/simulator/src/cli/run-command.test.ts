import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { recorder } from '../../test/recorder.ts'
import { type Command, UsageError } from './command.ts'
import { runSimulator } from './run-command.ts'

const commands: Command[] = [
  { name: 'good', summary: 'Goes well.', run: async () => 0 },
  {
    name: 'bad',
    summary: 'Does not understand.',
    run: async () => {
      throw new UsageError('I do not understand')
    },
  },
  {
    name: 'broken',
    summary: 'Breaks.',
    run: async () => {
      throw new Error('a fault of ours')
    },
  },
]

describe('runSimulator', () => {
  test.each([
    ['a command', ['good'], 0],
    ['a command that does not understand', ['bad'], 2],
    ['an unknown command', ['nothing'], 2],
    ['no command', [], 2],
    ['--help', ['--help'], 0],
    ['--version', ['--version'], 0],
  ])('%s exits with %j', async (_name, args, code) => {
    expect(await runSimulator(args, commands, recorder().terminal, '1.2.3')).toBe(code)
  })

  test('says on standard error what was wrong and where help is', async () => {
    const { terminal, out, err } = recorder()
    await runSimulator(['bad'], commands, terminal, '1.2.3')
    expect(out()).toBe('')
    expect(err()).toBe('I do not understand\nSee: simulator bad --help\n')
  })

  test('lets a fault of ours through', async () => {
    await expect(runSimulator(['broken'], commands, recorder().terminal, '1.2.3')).rejects.toThrow(
      'a fault of ours',
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

  test.each(['place', 'inquire', 'load', 'keys'])('%s --help tells its options', async (name) => {
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
    ['a URL that is none', ['place', '--url', 'ftp://x'], '--url ftp://x'],
    ['a key that is not there', ['place', '--key', '/nowhere.pem'], 'simulator keys'],
    ['a number that is none', ['load', '--rate', 'fast'], '--rate fast'],
    ['a mix of what is unknown', ['load', '--mix', 'old=1'], "'old'"],
    ['a load without new orders', ['load', '--mix', 'repeat=1'], 'without new orders'],
    ['more than memory holds', ['load', '--rate', '5000', '--duration', '3600'], '200000'],
  ])('%s exits with 2 and says so', async (_name, args, words) => {
    const { err, code } = await run(...args)
    expect(code).toBe(2)
    expect(err).toContain(words)
  })
})
