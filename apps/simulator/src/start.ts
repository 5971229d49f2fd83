#!/usr/bin/env node
import { nodeVersionError } from './node-version.ts'

// The package's entry: loads the rest only on a Node that can load it.
const error = nodeVersionError(process.versions.node)
if (error === undefined) await import('./main.ts')
else {
  process.stderr.write(`${error}\n`)
  process.exitCode = 2
}
