import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { z } from 'zod'

/** A process of this run. */
export type Program = { name: string; pid: number; stop: () => Promise<void> }

/** A program of the bench's own, which can be asked to do things. */
export type Asked = Program & {
  ask: <S extends z.ZodType>(what: string, argument: unknown, reply: S) => Promise<z.output<S>>
}

const root = join(import.meta.dirname, '../../../..')

/** How long a program may take to be ready, and to end (ms). */
const READY_MS_MAX = 30_000
const STOP_MS_MAX = 10_000

/** All a program gets of our environment; the rest is said by the bench, so that two runs are alike. */
const inherited = () => {
  const { PATH = '', HOME = '', NODE_COMPILE_CACHE = '' } = process.env
  return { PATH, HOME, NODE_COMPILE_CACHE }
}

/**
 * Starts a program as it is run in production, with Node's flags as this process has them, its log going to a file; ready when its
 * admin port says that it lives.
 */
export async function startService(
  name: string,
  entry: string,
  {
    env,
    adminPort,
    log,
    nodeArgs = [],
  }: { env: Record<string, string>; adminPort: number; log: string; nodeArgs?: string[] },
): Promise<Program> {
  const file = await open(log, 'a')
  const child = spawn(process.execPath, [...process.execArgv, ...nodeArgs, join(root, entry)], {
    cwd: root,
    env: { ...inherited(), ...env, ADMIN_HOST: '127.0.0.1', ADMIN_PORT: String(adminPort) },
    stdio: ['ignore', file.fd, file.fd],
  })
  await file.close()
  const program = programOf(name, child)
  const deadline = performance.now() + READY_MS_MAX
  while (!(await lives(adminPort))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await program.stop()
      throw new Error(`${name} did not start:\n${await readFile(log, 'utf8')}`)
    }
    await wait(10)
  }
  return program
}

const lives = (adminPort: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${adminPort}/livez`).then(
    ({ ok }) => ok,
    () => false, // It does not listen yet.
  )

const Reply = z.object({
  id: z.number(),
  result: z.unknown().optional(),
  error: z.string().optional(),
})

/** Starts a program of the bench's own, with the same flags, that serves what it is asked (see serve.ts). */
export async function startAsked(
  name: string,
  entry: string,
  env: Record<string, string> = {},
  execArgv: string[] = [],
): Promise<Asked> {
  const child = fork(join(import.meta.dirname, '..', entry), {
    cwd: root,
    env: { ...inherited(), ...env },
    execPath: process.execPath,
    execArgv: [...process.execArgv, ...execArgv],
    serialization: 'advanced',
  })
  const program = programOf(name, child)
  const asked = new Map<number, PromiseWithResolvers<unknown>>()
  const ready = Promise.withResolvers<unknown>()
  asked.set(0, ready)
  let last = 0
  child.on('message', (message) => {
    const { id, result, error } = Reply.parse(message)
    if (error === undefined) asked.get(id)?.resolve(result)
    else asked.get(id)?.reject(new Error(`${name}: ${error}`))
    asked.delete(id)
  })
  child.once('exit', (code, signal) => {
    for (const { reject } of asked.values()) reject(new Error(`${name} ended (${signal ?? code})`))
  })
  await ready.promise
  return {
    ...program,
    ask: async (what, argument, reply) => {
      const answered = Promise.withResolvers<unknown>()
      last += 1
      asked.set(last, answered)
      child.send({ id: last, what, argument })
      return reply.parse(await answered.promise)
    },
  }
}

function programOf(name: string, child: ChildProcess): Program {
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  const ended = once(child, 'exit').finally(() => process.off('exit', kill))
  return {
    name,
    pid: child.pid ?? -1,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const killing = setTimeout(kill, STOP_MS_MAX)
      child.kill('SIGTERM')
      await ended
      clearTimeout(killing)
    },
  }
}
