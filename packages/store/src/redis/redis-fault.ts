/**
 * Redis answers but will not serve us until an operator changes something; the message says what.
 */
export class RedisFault extends Error {
  override readonly name = 'RedisFault'
}

/**
 * Patterns of connections' errors, and what they mean. Errors of sentinels come as text in another
 * error.
 */
const meanings: readonly (readonly [RegExp, string])[] = [
  [
    /sentinel.*(WRONGPASS|NOAUTH|NOPERM)/is,
    'a sentinel refuses our user or password: ' +
      'correct REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASSWORD',
  ],
  [
    /No such master with that name/,
    'the sentinels know no master of this name: correct REDIS_SENTINEL_NAME',
  ],
  [
    /WRONGPASS/,
    'Redis refuses user or password: correct them in REDIS_URL, ' +
      'or else in REDIS_USERNAME and REDIS_PASSWORD',
  ],
  [
    /NOAUTH/,
    'Redis asks for a password: set REDIS_PASSWORD, ' +
      'or write it into REDIS_URL, redis://user:password@host:port',
  ],
  [/NOPERM/, 'Redis does not let our user do what is needed: allow it what docs/security.md lists'],
  [/\bOOM\b/, 'Redis has no memory left: raise its maxmemory'],
  [/MISCONF/, 'Redis cannot write to its disk, and takes no writes: make room there'],
  [/invalid DB index|DB index is out of range/, 'Redis has no such database: correct REDIS_URL'],
  [/^MOVED /, 'Redis is a node of a Cluster: set REDIS_CLUSTER=true'],
  [
    /cluster support disabled/,
    'Redis is not a Cluster: name one URL in REDIS_URL, and leave REDIS_CLUSTER out',
  ],
  [
    /Unknown RESP type|Protocol error, got/,
    'what answers is not Redis, or speaks TLS: correct REDIS_URL, rediss:// is for TLS',
  ],
  [
    /wrong version number|packet length too long|record layer failure/i,
    'what answers does not speak TLS: correct REDIS_URL, redis:// is without TLS',
  ],
  [
    /alert|handshake failure/i,
    'Redis ends the TLS handshake, perhaps because it asks for a certificate: ' +
      'set REDIS_TLS_CERT_FILE and REDIS_TLS_KEY_FILE',
  ],
  [
    /certificate|altnames|unable to verify/i,
    'the certificate of Redis is not trusted: name its authority in REDIS_TLS_CA_FILE, ' +
      'and in REDIS_URL a host that the certificate names',
  ],
]

/**
 * The fault behind a connection's error; undefined for errors that may pass by themselves, such as
 * a Redis that has not started yet.
 */
export function redisFaultOf(error: unknown): RedisFault | undefined {
  const text = textOf(error)
  const [, meaning] = meanings.find(([pattern]) => pattern.test(text)) ?? []
  if (meaning === undefined) return undefined
  return new RedisFault(`${meaning} (${shortOf(text)})`, { cause: error })
}

/** A Cluster client hides the error of the last node. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  const hidden = 'lastNodeError' in error ? textOf(error.lastNodeError) : ''
  return hidden || error.message
}

/** The reason that Redis or TLS gave, without what OpenSSL and ioredis add. */
const shortOf = (text: string): string => {
  const [, reason] = /:error:[^:]*:[^:]*:([^:]+):/.exec(text) ?? []
  return (reason ?? text).replace(' Please report this.', '').trim().slice(0, 200)
}
