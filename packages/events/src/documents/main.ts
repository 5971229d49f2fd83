import { writeFile } from 'node:fs/promises'
import { published } from './published.ts'

for (const { file, text } of published) await writeFile(file, text())
