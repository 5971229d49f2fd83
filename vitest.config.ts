import { defineConfig } from 'vitest/config'

// One file at a time: tests start real servers and processes, and the machine may have few cores.
// Files share loaded modules, since none of ours keeps state. Nothing waits longer than it has to;
// the limits are for a machine that is busy with other tests.
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    passWithNoTests: true,
    fileParallelism: false,
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 10_000 } },
    reporters: process.env.CI ? ['default', 'json'] : ['default'],
    outputFile: { json: '.reports/tests.json' },
  },
})
