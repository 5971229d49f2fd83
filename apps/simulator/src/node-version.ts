/** The oldest Node the simulator runs on: undici 8 asks for it. */
export const NODE_MIN = '22.19.0'

/** What to tell somebody whose Node is too old; undefined when it is not. */
export function complaintAbout(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [majorMin = 0, minorMin = 0] = NODE_MIN.split('.').map(Number)
  const good = major > majorMin || (major === majorMin && minor >= minorMin)
  return good ? undefined : `the simulator needs Node ${NODE_MIN} or newer; this is ${version}`
}
