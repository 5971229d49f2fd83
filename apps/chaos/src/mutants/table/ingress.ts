import type { Mutant } from '../mutant.ts'

const placeTest: Mutant['test'] = ['apps/ingress', 'src/place-order.test.ts']
const admissionTest: Mutant['test'] = ['apps/ingress', 'src/admission.test.ts']
const signerTest: Mutant['test'] = ['apps/ingress', 'src/signing/signer.test.ts']

/** Answers, admission and signatures. */
export const ingress: Mutant[] = [
  {
    breaks: 'any signature is good',
    file: 'apps/ingress/src/verify-request.ts',
    from: 'if (!verify(',
    to: 'if (!key && !verify(',
    test: ['apps/ingress', 'src/server.test.ts'],
  },
  {
    breaks: 'a psp sees the orders of another',
    file: 'apps/ingress/src/inquire-order.ts',
    from: 'found?.pspId !== pspId',
    to: 'found === undefined',
    test: ['apps/ingress', 'src/inquire-order.test.ts'],
  },
  {
    breaks: 'an order that is not decided in time is answered F',
    file: 'apps/ingress/src/place-order.ts',
    from: "(await held) ? 'PAYMENT_IN_PROCESS'",
    to: "(await held) ? 'PROCESS_FAIL'",
    test: placeTest,
  },
  {
    breaks: 'an outcome is answered that the replicas do not have',
    file: 'apps/ingress/src/place-order.ts',
    from: 'return replicated ? answer(',
    to: 'return true ? answer(',
    test: placeTest,
  },
  {
    breaks: 'open orders have no bound',
    file: 'apps/ingress/src/admission.ts',
    from: 'const free = this.#limits.openOrdersMax - open',
    to: 'const free = Number.MAX_VALUE',
    test: admissionTest,
  },
  {
    breaks: 'the rate of a client has no bound',
    file: 'apps/ingress/src/rate.ts',
    from: 'if (this.#tokens < 1) return false',
    to: 'if (this.#tokens < -1e9) return false',
    test: ['apps/ingress', 'src/rate.test.ts'],
  },
  {
    breaks: 'an answer goes out with the signature of the answer that was expected',
    file: 'apps/ingress/src/signing/signer.ts',
    from: 'const isGood = cameTrue && ',
    to: 'const isGood = ',
    test: signerTest,
  },
  {
    breaks: 'an answer says it was signed long before',
    file: 'apps/ingress/src/signing/signer.ts',
    from: 'cameTrue && performance.now() - expected.at < AHEAD_MS_MAX',
    to: 'cameTrue',
    test: signerTest,
  },
  {
    breaks: 'a refusal goes out with the signature of a key that was replaced',
    file: 'apps/ingress/src/signing/signer.ts',
    from: '{key.version} $',
    to: '{1} $',
    test: signerTest,
  },
  {
    breaks: 'strangers take all threads that sign',
    file: 'apps/ingress/src/signing/signing-queue.ts',
    from: 'this.#strangersRunning === 0 ?',
    to: 'this.#strangersRunning >= 0 ?',
    test: ['apps/ingress', 'src/signing/signing-queue.test.ts'],
  },
  {
    breaks: 'orders that would wait for too long are let in',
    file: 'apps/ingress/src/in-flight.ts',
    from: 'const EXPECTED_SHARE_MAX = 1 / 2',
    to: 'const EXPECTED_SHARE_MAX = 1_000',
    test: ['apps/ingress', 'src/in-flight.test.ts'],
  },
  {
    breaks: 'a connection that never speaks TLS is kept',
    file: 'apps/ingress/src/connection/raw-server.ts',
    from: '? https.createServer({ ...options, ...limits,',
    to: '? https.createServer({ ...options,',
    test: ['apps/ingress', 'src/connection/silent-connections.test.ts', 'TCP where TLS is spoken'],
  },
]
