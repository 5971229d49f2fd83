/** The oldest Node the simulator runs on: undici 8 requires it. */
export const NODE_MIN = '22.19.0'

/** The message for a Node that is too old; undefined for one that is not. */
export function nodeVersionError(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [majorMin = 0, minorMin = 0] = NODE_MIN.split('.').map(Number)
  const good = major > majorMin || (major === majorMin && minor >= minorMin)
  return good ? undefined : `the simulator needs Node ${NODE_MIN} or newer; this is ${version}`
}
