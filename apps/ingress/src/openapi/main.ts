import { writeFile } from 'node:fs/promises'
import { published, publishedFile } from './published.ts'

await writeFile(publishedFile, published())
