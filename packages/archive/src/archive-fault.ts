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
