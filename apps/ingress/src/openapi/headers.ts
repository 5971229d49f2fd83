const text = { type: 'string' } as const
const signature = 'algorithm=RSA256, keyVersion=1, signature=KEhXthj4bJ…%3D%3D'

/** The headers of a request besides its signature. */
export const requestHeaders = [
  {
    name: 'Client-Id',
    in: 'header',
    required: true,
    description: 'The caller, one of clients.json. In the sandbox it begins with SANDBOX_.',
    schema: text,
    example: 'SANDBOX_5Y00000000000001',
  },
  {
    name: 'Request-Time',
    in: 'header',
    required: true,
    description:
      'ISO 8601 with an offset or Z, in any form, or seconds or milliseconds since 1970.',
    schema: text,
    example: '2026-03-01T16:00:00+08:00',
  },
  {
    name: 'Agent-Token',
    in: 'header',
    required: false,
    description: 'Ignored.',
    schema: text,
  },
]

export const security = {
  name: 'signature',
  scheme: {
    type: 'apiKey',
    in: 'header',
    name: 'Signature',
    description: [
      `\`${signature}\`: SHA-256 with RSA (PKCS #1 v1.5, 2048 bits or more) over`,
      '`POST <path and query>\\n<Client-Id>.<Request-Time>.<body>`, in base64: percent-encoded,',
      'URL-safe or plain. Without keyVersion it is verified with the client’s newest key.',
    ].join(' '),
  },
}

/** The headers of every answer. */
export const responseHeaders = {
  'Client-Id': {
    description: 'The request’s, if it is one of clients.json; else UNKNOWN.',
    schema: text,
  },
  'Response-Time': { description: 'ISO 8601 in UTC, to the second.', schema: text },
  Signature: {
    description: [
      'As that of the request, with the acquirer’s key, over',
      '`POST <path and query>\\n<Client-Id>.<Response-Time>.<body>`.',
      'The answer to a target that is not in origin form is signed for `/`.',
    ].join(' '),
    schema: text,
    example: signature,
  },
}
