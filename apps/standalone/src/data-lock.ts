import { spawn } from 'node:child_process'
import { ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { isAlive, runningStandalone } from '@placeorder/config'

/**
 * The lock of a data folder: the kernel holds it for as long as any process has the file open. All
 * started programs inherit it, so the folder stays locked while a Redis, an ingress or a worker is
 * left.
 */
export type DataLock = { file: number }

/**
 * Programs of a killed owner end within this time (ms): Redis waits 15 s for others, and takes 10
 * s.
 */
const LEFTOVERS_MS_MAX = 30_000
const LOOK_MS = 100

/**
 * Locks descriptor 3 with flock(2). The lock belongs to the open file and not to the process, so we
 * still hold it when this shell ends. Linux has flock, macOS has perl.
 */
const script = `
command -v flock >/dev/null && exec flock -n 3
command -v perl >/dev/null || { echo 'install flock (util-linux) or perl' >&2; exit 69; }
exec perl -MFcntl=:flock -e 'open(F, "+<&=", 3) or die; exit(flock(F, LOCK_EX | LOCK_NB) ? 0 : 1)'`

/**
 * Locks a data folder for this process and what it starts. Waits for programs of an owner that was
 * killed.
 *
 * @throws DataInUse if another owner is alive, with its pid
 */
export async function lockData(dir: string, say: (line: string) => void): Promise<DataLock> {
  const path = join(dir, 'lock')
  const file = openSync(path, 'a+', 0o600)
  const until = performance.now() + LEFTOVERS_MS_MAX
  let said = false
  while (!(await locked(file))) {
    const owner = Number(readFileSync(path, 'utf8')) || undefined
    // Without a pid the owner has just taken the lock, and is about to write its pid.
    if ((owner !== undefined && isAlive(owner)) || performance.now() > until)
      throw new DataInUse(dir, owner)
    if (owner !== undefined && !said)
      say(`waiting for programs of npm start (pid ${owner}) to end …`)
    said ||= owner !== undefined
    await wait(LOOK_MS)
  }
  ftruncateSync(file)
  writeSync(file, `${process.pid}\n`)
  return { file }
}

/** Another npm start uses the folder. */
export class DataInUse extends Error {
  readonly pid: number | undefined

  constructor(dir: string, pid: number | undefined) {
    const who = pid === undefined ? 'another npm start' : `npm start with pid ${pid}`
    const where = runningStandalone(dir)?.placeOrder
    const use = where === undefined ? 'Use it' : `Place orders at ${where}`
    const end = pid === undefined ? '' : `: kill ${pid}`
    super(`${who} is running on ${dir}. ${use}, or stop it first${end}`)
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
  throw new Error(`the data folder cannot be locked: ${said.trim() || `exit code ${code}`}`)
}
