import { defineConfig } from 'vitest/config'

// One file at a time: tests start real servers and processes, and the machine may have few cores.
// Files share loaded modules, since none of ours keeps state.
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    passWithNoTests: true,
    fileParallelism: false,
    isolate: false,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: process.env.CI ? ['default', 'json'] : ['default'],
    outputFile: { json: '.reports/tests.json' },
  },
})
