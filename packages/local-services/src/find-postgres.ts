import { readdir, readFile, realpath, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { answers, aptInstall, during, run } from './server-process.ts'

/** A PostgreSQL that is installed here. */
export type PostgresServer = {
  /** The folder of its programs. */
  bin: string
  version: string
  major: number
}

/** 14 is the oldest that PostgreSQL's own project still maintained when this was written. */
const VERSION_MIN = 14

/** Where Debian keeps each version's programs: they are not on the PATH. */
const DEBIAN = '/usr/lib/postgresql'

/** No PostgreSQL can be found or installed; the message says what to install. */
export class NoPostgres extends Error {
  override readonly name = 'NoPostgres'
  /** In a few words each. */
  readonly reasons: readonly string[]

  constructor(reasons: readonly string[]) {
    super(
      [
        'there is no PostgreSQL on this machine that can be used:',
        ...reasons.map((reason) => `  - ${reason}`),
        `Install PostgreSQL ${VERSION_MIN} or newer`,
        '("apt-get install postgresql", "brew install postgresql@17"),',
        'or set ARCHIVE_URL to one that is there.',
      ].join('\n'),
    )
    this.reasons = reasons
  }
}

/**
 * Finds a PostgreSQL, or installs one: on the PATH; in Debian's folders; by apt-get on Debian or
 * Ubuntu. Of several it is the one that made the files in `dir`, else the newest.
 *
 * @throws NoPostgres
 */
export async function findPostgresServer(
  dir: string,
  onProgress: (step: string) => void = () => {},
): Promise<PostgresServer> {
  const reasons: string[] = []
  const found = await installed(dir, reasons)
  if (found !== undefined) return found
  if (reasons.length > 0) throw new NoPostgres(reasons)
  if (process.getuid?.() === 0 && (await answers('apt-get', ['--version']))) {
    await during('installing postgresql with apt-get', onProgress, installFromDebian).catch(
      (cause: Error) => reasons.push(`apt-get could not install postgresql: ${cause.message}`),
    )
    const server = await installed(dir, reasons)
    if (server !== undefined) return server
  }
  throw new NoPostgres(reasons.length > 0 ? reasons : ['none is installed'])
}

async function installed(dir: string, reasons: string[]): Promise<PostgresServer | undefined> {
  const made = await madeBy(dataIn(dir))
  const versions = await readdir(DEBIAN).catch(() => [])
  const folders = versions.map((version) => join(DEBIAN, version, 'bin'))
  const { stdout } = await run('sh', ['-c', 'command -v postgres || true'])
  const onPath = stdout === '' ? [] : [dirname(stdout.trim())]
  const servers: PostgresServer[] = []
  for (const bin of new Set([...onPath, ...folders])) {
    const server = await serverIn(bin)
    if (server === undefined) continue
    if (server.major < VERSION_MIN)
      reasons.push(`${bin} has ${server.version}: ${VERSION_MIN} or newer is needed`)
    else if (made !== undefined && made !== server.major)
      reasons.push(`${bin} has ${server.version}: the files in ${dir} are of PostgreSQL ${made}`)
    else servers.push(server)
  }
  return servers.sort((a, b) => b.major - a.major)[0]
}

async function serverIn(bin: string): Promise<PostgresServer | undefined> {
  const { stdout } = await run(join(bin, 'postgres'), ['--version']).catch(() => ({ stdout: '' }))
  const version = /\(PostgreSQL\) (\d+[.\w]*)/.exec(stdout)?.[1]
  if (version === undefined) return undefined
  // Its other programs need not be linked beside a link to it.
  const itself = await realpath(join(bin, 'postgres'))
  return { bin: dirname(itself), version, major: Number.parseInt(version, 10) }
}

/** The version that made the files of a folder; undefined if there are none. */
export async function madeBy(data: string): Promise<number | undefined> {
  const text = await readFile(join(data, 'PG_VERSION'), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : Number.parseInt(text, 10)
}

/** Debian makes a cluster after an install, unless its configuration says otherwise before. */
async function installFromDebian(): Promise<void> {
  await aptInstall('postgresql-common')
  const conf = '/etc/postgresql-common/createcluster.conf'
  const text = await readFile(conf, 'utf8').catch(() => '')
  if (!/^create_main_cluster/m.test(text))
    await writeFile(conf, `${text}\ncreate_main_cluster = false\n`)
  await aptInstall('postgresql')
}

/** Where the server's own files are in its folder. */
export const dataIn = (dir: string): string => join(dir, 'data')
