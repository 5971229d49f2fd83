/** The state that a case needs first did not come about; the message says what happened instead. */
export class UnmetPrecondition extends Error {}
