import { readFile } from 'node:fs/promises'

/** The kernel's counters of a process. `writeCalls`: to files, sockets and pipes. */
export type ProcessUsage = { cpuMs: number; residentBytes: number; writeCalls: number }

/** The kernel counts CPU time in hundredths of a second, whatever its tick rate. */
const TICK_MS = 10

/** Reads a process's CPU time so far and its memory; undefined where there is no /proc. */
export async function usageOf(pid: number): Promise<ProcessUsage | undefined> {
  try {
    const [stat, status, io] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/status`, 'utf8'),
      readFile(`/proc/${pid}/io`, 'utf8').catch(() => ''), // Some containers have none.
    ])
    // The second field, the name in brackets, may hold spaces.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const resident = /^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0
    return {
      cpuMs: (Number(fields[11]) + Number(fields[12])) * TICK_MS,
      residentBytes: Number(resident) * 1_024,
      writeCalls: Number(/^syscw: (\d+)/m.exec(io)?.[1] ?? Number.NaN),
    }
  } catch {
    return undefined
  }
}
