/** A concluded order as the archive keeps it. Times are in ms. */
export type ArchivedOrder = {
  acquirerId: string
  paymentId: string
  paymentRequestId: string
  /** What a repeat must agree in. */
  terms: string
  /** A final code, and after a space what is passed through with it. */
  outcome: string
  pspId: string
  clientId: string
  merchantId: string
  claimedAt: number
  concludedAt: number
}

/** The same with its request, and what it is searched by. */
export type OrderToArchive = ArchivedOrder & {
  storeId: string | undefined
  /** In smallest units. */
  amount: string
  currency: string
  codeDigest: string
  customerDigest: string | undefined
  /** The packed request. */
  request: string
}

/** An order as the archive gives it back. */
export type FoundOrder = ArchivedOrder & { archivedAt: number; shard: number; version: number }
