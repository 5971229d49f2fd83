/** The archive must not be used as it is: the message says what an operator does about it. */
export class ArchiveFault extends Error {
  override readonly name = 'ArchiveFault'
}

/**
 * The database is older than it was: it was restored from a backup, or is another one. It is not to
 * be believed.
 */
export class ArchiveBehind extends Error {
  override readonly name = 'ArchiveBehind'
}

/** Redis is older than it was: what the archive has of its outbox is not there any more. */
export class RedisWentBack extends Error {
  override readonly name = 'RedisWentBack'
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : ''

/** PostgreSQL cannot keep a value: what is wrong is in a row, and stays so. */
export const isDataError = (error: unknown): boolean => /^22...$/.test(codeOf(error))

/** Another transaction was in the way: the same may work now. */
export const isSerializationFailure = (error: unknown): boolean =>
  ['40001', '40P01'].includes(codeOf(error))

/** There is no such table. */
export const isUndefinedTable = (error: unknown): boolean => codeOf(error) === '42P01'

/** What an operator must change first, by the code of PostgreSQL, OpenSSL or Node. */
const meanings: readonly (readonly [RegExp, string])[] = [
  [/^28P01$/, 'PostgreSQL refuses user or password: correct them in ARCHIVE_URL'],
  [/^28000$/, 'PostgreSQL does not let our user in: correct ARCHIVE_URL, or its pg_hba.conf'],
  [/^3D000$/, 'PostgreSQL has no such database: create it, or correct ARCHIVE_URL'],
  [
    /^42501$/,
    'PostgreSQL does not let our user do what is needed: grant it what docs/archive.md lists',
  ],
  [
    /CERT|^UNABLE_TO_/,
    'the certificate of PostgreSQL is not trusted: name its authority in ARCHIVE_URL, ' +
      'as sslrootcert, and a host that the certificate names',
  ],
]

const AWAY = /^E(CONNREFUSED|CONNRESET|NOTFOUND|AI_AGAIN|TIMEDOUT|HOSTUNREACH|NETUNREACH)$/

/**
 * An error of PostgreSQL for an operator: an ArchiveFault if something must be changed first, an
 * Error that names ARCHIVE_URL if it does not answer, or else the error as it is.
 */
export function reportedError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const code = codeOf(error)
  const why = error.message || code // Of several addresses that refuse, there is the code alone.
  const [, meaning] = meanings.find(([pattern]) => pattern.test(code)) ?? []
  if (meaning !== undefined) return new ArchiveFault(`${meaning} (${why})`, { cause: error })
  if (!AWAY.test(code)) return error
  return new Error(`PostgreSQL does not answer: see ARCHIVE_URL (${why})`, { cause: error })
}
