import { z } from 'zod'

/**
 * A text of 1 to `charactersMax` characters, as placeOrder.txt counts them: a code point is one.
 */
export const boundedText = (charactersMax: number) =>
  z
    .string()
    .min(1)
    .refine((value) => value.length <= charactersMax || [...value].length <= charactersMax, {
      error: `is longer than ${charactersMax} characters`,
    })

/**
 * A whole number of smallest currency units, as a string: no sign, point, exponent or leading zero.
 */
export const UnitsText = z
  .string()
  .max(100, { abort: true })
  .regex(/^(0|[1-9]\d*)$/, {
    error: 'must be a whole number of smallest units in a string, such as "500"',
    abort: true, // Later checks convert it to a number.
  })

/** A moment in ISO 8601 with an offset or Z. */
export const Moment = z.iso.datetime({
  offset: true,
  error: 'must be a time such as "2030-01-01T00:00:00Z", with an offset or Z',
})

/** The name of a rule or a check, for logs and metric labels. */
export const Name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, {
  error: 'must be 1 to 64 letters, digits, points, hyphens or underscores',
})
