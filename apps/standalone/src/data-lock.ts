import { spawn } from 'node:child_process'
import { ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { isAlive, runningStandalone } from '@placeorder/config'

/**
 * Who owns a folder of data: the kernel holds the lock for as long as one of those is alive who have the file open. We hand it to
 * all we start, so nobody else owns the folder while a Redis, an ingress or a worker of ours is left.
 */
export type DataLock = { file: number }

/** What a killed owner started ends within this time (ms): 15 s for what ends before it, 10 s by itself. */
const LEFTOVERS_MS_MAX = 30_000
const LOOK_MS = 100

/**
 * Locks descriptor 3 with flock(2), which belongs to the open file and not to the process: it stays with us when this
 * program ends. Linux has flock, macOS has perl.
 */
const script = `
command -v flock >/dev/null && exec flock -n 3
command -v perl >/dev/null || { echo 'install flock (util-linux) or perl' >&2; exit 69; }
exec perl -MFcntl=:flock -e 'open(F, "+<&=", 3) or die; exit(flock(F, LOCK_EX | LOCK_NB) ? 0 : 1)'`

/**
 * Makes this process the one owner of a folder. What is left of an owner that was killed is waited for.
 *
 * @throws when another one lives, with its pid
 */
export async function lockData(dir: string, say: (line: string) => void): Promise<DataLock> {
  const path = join(dir, 'lock')
  const file = openSync(path, 'a+', 0o600)
  const until = performance.now() + LEFTOVERS_MS_MAX
  let said = false
  while (!(await locked(file))) {
    const owner = Number(readFileSync(path, 'utf8')) || undefined
    // Without a pid it has the lock, and is about to say who it is.
    if ((owner !== undefined && isAlive(owner)) || performance.now() > until)
      throw new DataInUse(dir, owner)
    if (owner !== undefined && !said) say(`waiting for what npm start with pid ${owner} left …`)
    said ||= owner !== undefined
    await wait(LOOK_MS)
  }
  ftruncateSync(file)
  writeSync(file, `${process.pid}\n`)
  return { file }
}

/** Somebody else owns the folder. */
export class DataInUse extends Error {
  readonly pid: number | undefined

  constructor(dir: string, pid: number | undefined) {
    const who = pid === undefined ? 'another npm start' : `npm start with pid ${pid}`
    const where = runningStandalone(dir)?.placeOrder
    const use = where === undefined ? 'Use it' : `Place orders at ${where}`
    const end = pid === undefined ? '' : `: kill ${pid}`
    super(`${who} is running on ${dir}. ${use}, or end it first${end}`)
    this.name = 'DataInUse'
    this.pid = pid
  }
}

async function locked(file: number): Promise<boolean> {
  const child = spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'ignore', 'pipe', file] })
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk
  })
  const code = await new Promise((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  )
  if (code === 0 || code === 1) return code === 0
  throw new Error(`the folder of data cannot be locked: ${said.trim() || `exit code ${code}`}`)
}
