import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'

/** Options of a bound program. Its standard input is empty. */
export type BoundOptions = Pick<SpawnOptions, 'cwd' | 'env' | 'uid' | 'gid'> & {
  /** An open file that the program keeps open while it runs, such as a lock: its `KEPT_OPEN`. */
  keepOpen?: number | undefined
  /** An open folder: its `FOLDER`. */
  folder?: number | undefined
  /** What ends it when this process is gone, SIGTERM by default. */
  endSignal?: 'TERM' | 'INT'
}

export type BoundProcess = {
  process: ChildProcess
  /** Names a process that ends before this one when the parent has ended. */
  endsAfter: (pid: number) => void
}

/** How a program opens again, on Linux, what it has been given open: also past closed folders. */
export const KEPT_OPEN = '/proc/self/fd/4'
export const FOLDER = '/proc/self/fd/5'

/**
 * A shell that becomes the program "$@", so the program has the shell's pid. A reader of descriptor
 * 3 stays beside it. The descriptor closes when the parent ends, for whatever reason: then the
 * reader waits for the processes that the parent has named there, and ends the program. `done` ends
 * the reader: the program has ended by itself. /proc also shows processes of other users.
 */
const script = `
signal=$1
shift
{
  first=
  while read -r line; do
    [ "$line" = done ] && exit
    first="$first $line"
  done
  left() { for pid; do kill -0 "$pid" || [ -d "/proc/$pid" ] && return; done; return 1; }
  tenths=0
  while [ $tenths -lt 150 ] && left $first; do sleep 0.1; tenths=$((tenths + 1)); done
  kill -s "$signal" $$
  tenths=0
  while [ $tenths -lt 100 ] && left $$; do sleep 0.1; tenths=$((tenths + 1)); done
  left $$ && kill -KILL $$
} <&3 3<&- 4<&- >/dev/null 2>&1 &
exec "$@" 3<&-`

/**
 * Starts a program that ends when this process is gone: by `endSignal`, and 10 s later by SIGKILL.
 * It has a process group of its own, so a terminal's signals (Ctrl-C, hang-up) reach this process
 * only.
 */
export function spawnBound(
  command: string,
  args: readonly string[],
  { keepOpen, folder, endSignal = 'TERM', ...options }: BoundOptions = {},
): BoundProcess {
  const child = spawn('/bin/sh', ['-c', script, 'sh', endSignal, command, ...args], {
    ...options,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', keepOpen ?? 'ignore', folder ?? 'ignore'],
  })
  const [, , , line] = child.stdio
  const write = (text: string) => void (line && 'write' in line && line.write(`${text}\n`))
  line?.on('error', () => {}) // Its reader is gone: the program has ended.
  child.once('exit', () => write('done'))
  return { process: child, endsAfter: (pid) => write(String(pid)) }
}
