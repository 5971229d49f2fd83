import { execFileSync, spawn } from 'node:child_process'
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Mutant, mutated } from './mutant.ts'

/** A test that takes longer than this (ms) is stopped: the mutant made it hang. */
const TEST_MS_MAX = 180_000

/** The scope that npm links our workspaces in. */
const OURS = '@placeorder'

/** A copy of the last commit in which tests can be run. */
export type CopyOfTree = {
  commit: string
  /** Whether a test passes, with a mutant's change if there is one. */
  passes: (test: Mutant['test'], mutant?: Mutant) => Promise<boolean>
  remove: () => Promise<void>
}

/** Copies a repository's last commit. The copy uses the packages installed in the repository. */
export async function copyOfTree(root: string, ending: AbortSignal): Promise<CopyOfTree> {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' })
  const dir = await mkdtemp(join(tmpdir(), 'placeorder-mutants-'))
  const tree = join(dir, 'tree')
  git('worktree', 'add', '--detach', '--quiet', tree, 'HEAD')
  await linkModules(join(root, 'node_modules'), join(tree, 'node_modules'))
  return {
    commit: git('rev-parse', '--short', 'HEAD').trim(),
    passes: async (test, mutant) => {
      if (mutant === undefined) return passes(tree, test, ending)
      const path = join(tree, mutant.file)
      const text = await readFile(path, 'utf8')
      await writeFile(path, mutated(text, mutant))
      try {
        return await passes(tree, test, ending)
      } finally {
        await writeFile(path, text)
      }
    },
    remove: async () => {
      git('worktree', 'remove', '--force', tree)
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** Links all installed packages; our own ones to those of the copy, by npm's relative paths. */
export async function linkModules(from: string, to: string): Promise<void> {
  await mkdir(join(to, OURS), { recursive: true })
  for (const name of await readdir(from)) {
    if (name === OURS || (name.startsWith('.') && name !== '.bin')) continue
    await symlink(join(from, name), join(to, name))
  }
  for (const name of await readdir(join(from, OURS)))
    await symlink(await readlink(join(from, OURS, name)), join(to, OURS, name))
}

async function passes(
  tree: string,
  [workspace, file, title]: Mutant['test'],
  ending: AbortSignal,
): Promise<boolean> {
  const args = ['run', '--config', '../../vitest.config.ts', '--root', '.', '--bail=1', file]
  const named = title === undefined ? [] : ['-t', title]
  const vitest = join(tree, 'node_modules/vitest/vitest.mjs')
  const child = spawn(process.execPath, [vitest, ...args, ...named], {
    cwd: join(tree, workspace),
    stdio: 'ignore',
    signal: AbortSignal.any([AbortSignal.timeout(TEST_MS_MAX), ending]),
  })
  const { promise, resolve } = Promise.withResolvers<boolean>()
  child.once('error', () => resolve(false))
  child.once('exit', (code) => resolve(code === 0))
  return promise
}
