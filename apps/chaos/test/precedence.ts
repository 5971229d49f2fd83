import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * Schedules this process, and what it starts from now on, before all other work on the machine
 * until the returned function is called: a measured latency is then the system's own. Where that is
 * not allowed, nothing changes.
 */
export async function takePrecedence(): Promise<() => Promise<void>> {
  const schedule = (...policy: string[]) =>
    run('chrt', [...policy, String(process.pid)]).then(
      () => {},
      () => {}, // The command is missing, or this user is not allowed to.
    )
  await schedule('--rr', '--pid', '1')
  return () => schedule('--other', '--pid', '0')
}
