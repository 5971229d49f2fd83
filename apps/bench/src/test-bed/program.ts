import { type ChildProcess, fork, spawn } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { ownChild } from '@placeorder/local-services/child-process'
import { repositoryRoot } from '@placeorder/local-services/repository-root'
import { inheritedEnvironment } from '@placeorder/testkit/start-process'
import { z } from 'zod'

/** A process of this run. */
export type Program = { name: string; pid: number; stop: () => Promise<void> }

/** One of the benchmarks' own programs, which serves commands (see serve.ts). */
export type CommandedProgram = Program & {
  command: <S extends z.ZodType>(name: string, argument: unknown, reply: S) => Promise<z.output<S>>
}

/** How long a program may take to be ready, and to end (ms). */
const READY_MS_MAX = 30_000
const STOP_MS_MAX = 10_000

/**
 * Starts a program as it is run in production, with this process's flags of Node and its log in a
 * file. Resolves once its admin port says that it is alive.
 */
export async function startService(
  name: string,
  entry: string,
  {
    env,
    adminPort,
    log,
    nodeArgs = [],
    root = repositoryRoot,
  }: {
    env: Record<string, string>
    adminPort: number
    log: string
    nodeArgs?: string[]
    /** The checkout that it is run from. */
    root?: string
  },
): Promise<Program> {
  const file = await open(log, 'a')
  const args = [...process.execArgv, ...nodeArgs, join(root, entry)]
  const admin = { ADMIN_HOST: '127.0.0.1', ADMIN_PORT: String(adminPort) }
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...inheritedEnvironment(), ...env, ...admin },
    stdio: ['ignore', file.fd, file.fd],
  })
  await file.close()
  const program = programOf(name, child)
  const deadline = performance.now() + READY_MS_MAX
  while (!(await isAlive(adminPort))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await program.stop()
      throw new Error(`${name} did not start:\n${await readFile(log, 'utf8')}`)
    }
    await wait(10)
  }
  return program
}

const isAlive = (adminPort: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${adminPort}/livez`).then(
    ({ ok }) => ok,
    () => false, // It does not listen yet.
  )

const Reply = z.object({
  id: z.number(),
  result: z.unknown().optional(),
  error: z.string().optional(),
})

/** Starts one of the benchmarks' own programs with this process's flags of Node. */
export async function startCommanded(
  name: string,
  entry: string,
  env: Record<string, string> = {},
): Promise<CommandedProgram> {
  const child = fork(join(import.meta.dirname, '..', entry), {
    cwd: repositoryRoot,
    env: { ...inheritedEnvironment(), ...env },
    execPath: process.execPath,
    execArgv: process.execArgv,
    serialization: 'advanced',
  })
  const program = programOf(name, child)
  const pending = new Map<number, PromiseWithResolvers<unknown>>()
  const ready = Promise.withResolvers<unknown>()
  pending.set(0, ready)
  let last = 0
  child.on('message', (message) => {
    const { id, result, error } = Reply.parse(message)
    if (error === undefined) pending.get(id)?.resolve(result)
    else pending.get(id)?.reject(new Error(`${name}: ${error}`))
    pending.delete(id)
  })
  child.once('exit', (code, signal) => {
    for (const { reject } of pending.values())
      reject(new Error(`${name} ended (${signal ?? code})`))
  })
  await ready.promise
  return {
    ...program,
    command: async (command, argument, reply) => {
      const replied = Promise.withResolvers<unknown>()
      last += 1
      pending.set(last, replied)
      child.send({ id: last, name: command, argument })
      return reply.parse(await replied.promise)
    },
  }
}

function programOf(name: string, child: ChildProcess): Program {
  const { stop } = ownChild(child)
  return { name, pid: child.pid ?? -1, stop: () => stop(STOP_MS_MAX) }
}
