import { type ChildProcess, execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { promisify } from 'node:util'
import { type OwnedChild, ownChild } from './child-process.ts'

// What local servers have in common, whatever they serve.

/** Runs a program to its end. */
export const run = promisify(execFile)

const STOP_MS_MAX = 5_000

/** Whether a program is installed and exits with 0. */
export const answers = (command: string, args: string[]): Promise<boolean> =>
  run(command, args, { timeout: 5_000 }).then(
    () => true,
    () => false,
  )

const apt = ['DEBIAN_FRONTEND=noninteractive', 'RUNLEVEL=1', 'apt-get']

/**
 * Installs a package of Debian or Ubuntu: as apt knows it already, or else with new lists.
 * RUNLEVEL=1 keeps Debian from starting a server of its own.
 */
export async function aptInstall(name: string): Promise<void> {
  const install = () =>
    run('env', [...apt, 'install', '-y', '-qq', '--no-install-recommends', name])
  await install().catch(async () => {
    await run('env', [...apt, 'update', '-qq'])
    await install()
  })
}

export type OwnedServer = {
  /** Resolves with how it ended, and the last part of its output. */
  ended: Promise<string>
  /** Stops it and waits for its end, 5 s at most; then it is killed. */
  stop: () => Promise<void>
}

/** Ends a server when this process exits, and collects the last part of its output. */
export function ownServer(
  child: ChildProcess,
  options?: Parameters<typeof ownChild>[1],
): OwnedServer {
  let output = ''
  const collect = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-2_000)
  }
  child.stdout?.on('data', collect)
  child.stderr?.on('data', collect)
  const owned: OwnedChild = ownChild(child, options)
  return {
    ended: owned.ended.then((how) => `${how}\n${output}`),
    stop: () => owned.stop(STOP_MS_MAX),
  }
}

/** Runs a step and reports it if it takes longer than a second. */
export async function during<T>(
  step: string,
  onProgress: (step: string) => void,
  body: () => Promise<T>,
): Promise<T> {
  const reporting = setTimeout(() => onProgress(step), 1_000)
  try {
    return await body()
  } finally {
    clearTimeout(reporting)
  }
}

/**
 * Below the ports of outgoing connections (Linux: 32768 and up): one of those may be taken between
 * being found free and being listened on.
 */
const PORTS = { from: 20_000, to: 32_000 } as const

/** A port nobody listens on now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORTS.from, PORTS.to)
    const server = createServer()
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
    })
    await new Promise((resolve) => server.close(resolve))
    if (free) return port
  }
}
