/** How long a peer waits for an order's outcome (ms): as long as placeorder waits. */
export const WAIT_MS = 10_000

/** BullMQ and bee-queue count jobs with whole numbers, so an id of one's own must not be one. */
export const JOB_ID_PREFIX = 'p'
