/** A step before the one under test failed; the message says how. */
export class UnmetPrecondition extends Error {}
