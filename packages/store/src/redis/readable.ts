/**
 * What something kept reads as; an Error for what cannot be read: it was damaged, or a newer version wrote it. Only the order
 * it is of is then undecided.
 */
export function readable<T>(read: () => T): T | Error {
  try {
    return read()
  } catch (cause) {
    return new Error('what is kept cannot be read', { cause })
  }
}
