import { z } from 'zod'

/**
 * A text of 1 to `max` characters, counted as code points: a character outside the basic plane is
 * one. Texts without a published length are bounded by the body only.
 */
export const text = (max = Number.POSITIVE_INFINITY) =>
  z
    .string()
    .min(1, 'is empty: leave it out, or send null')
    .refine(
      (value) => value.length <= max || [...value].length <= max,
      `is longer than ${max} characters`,
    )
    .meta(max === Number.POSITIVE_INFINITY ? {} : { maxLength: max }) // For the API document.

/**
 * A text that identifies something. Half of a surrogate pair has no bytes of its own in UTF-8: ids
 * that differ only in that would be stored as one.
 */
export const identifier = (max: number) =>
  text(max)
    .refine((value) => value.isWellFormed(), 'is not well-formed Unicode')
    .meta({ maxLength: max })

/** An optional field of a `message`. */
export const optional = <S extends z.ZodType>(schema: S) => schema.nullish()

/**
 * An object whose absent fields are missing, not undefined; null counts as absent, and unknown
 * fields are ignored. Fields are removed here, since a transform of each one would take as long as
 * all the rest.
 */
export const message = <S extends z.ZodRawShape>(shape: S) =>
  z.object(shape).transform(withoutAbsent)

type Present<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], null | undefined>
}

function withoutAbsent<T extends object>(value: T): Present<T> {
  const present = value as Record<string, unknown>
  for (const key in present) if (present[key] == null) delete present[key]
  return value as Present<T>
}
