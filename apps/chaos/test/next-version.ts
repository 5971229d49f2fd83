import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { repositoryRoot } from '@placeorder/local-services/repository-root'
import { linkModules } from '../src/mutants/copy-of-tree.ts'
import { mutated } from '../src/mutants/mutant.ts'

/** What a next version may change: it writes newer forms, and reads those of this version, too. */
const changes = [
  {
    file: 'packages/protocol/src/request-codec.ts',
    from: "const VERSION = '3'",
    to: "const VERSION = '4'",
  },
  {
    file: 'packages/protocol/src/request-codec.ts',
    from: 'if (packed[0] !== VERSION)',
    to: "if (!'34'.includes(packed[0] ?? '-'))",
  },
  {
    file: 'packages/store/src/queue/job-rounds.ts',
    from: 'export const JOB_VERSION = 1\n',
    to: 'export const JOB_VERSION = 2\n',
  },
  {
    file: 'packages/store/src/queue/job-rounds.ts',
    from: 'v: z.literal(JOB_VERSION)',
    to: 'v: z.literal([1, JOB_VERSION])',
  },
]

/** The first character of a request that the next version has packed, and of one of ours. */
export const packedBy = { next: '4', thisOne: '3' }

/** A copy of this repository as its next version might be. */
export async function openNextVersion(): Promise<{ root: string; close: () => Promise<void> }> {
  const root = await mkdtemp(join(tmpdir(), 'placeorder-next-version-'))
  for (const folder of ['apps', 'packages', 'config', 'package.json'])
    await cp(join(repositoryRoot, folder), join(root, folder), {
      recursive: true,
      filter: (path) => basename(path) !== 'node_modules',
    })
  await mkdir(join(root, 'node_modules'))
  await linkModules(join(repositoryRoot, 'node_modules'), join(root, 'node_modules'))
  for (const { file, from, to } of changes) {
    const text = await readFile(join(root, file), 'utf8')
    await writeFile(join(root, file), mutated(text, { file, from, to }))
  }
  return { root, close: () => rm(root, { recursive: true, force: true }) }
}
