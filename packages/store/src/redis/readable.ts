/** How the reason begins for which a stored value cannot be used. */
export const UNREADABLE = 'a stored value cannot be read'

/**
 * The parsed form of a stored value; an Error if it cannot be parsed, because it is damaged or a
 * newer version wrote it. Only its own order is then undecided.
 */
export function readable<T>(read: () => T): T | Error {
  try {
    return read()
  } catch (cause) {
    return new Error(UNREADABLE, { cause })
  }
}
