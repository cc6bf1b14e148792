import { defineConfig } from 'vitest/config'

// Two projects: `unit` needs nothing but Node; `interop` needs a TUN device and Linux's own tools (curl, nginx, tshark, chromium)
// and makes the network namespace it runs in.
export default defineConfig({
  test: {
    projects: [
      {
        // Not isolated: loading the modules anew for each file would take longer than the tests.
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/interop/**'],
          testTimeout: 20_000,
          isolate: false,
          maxWorkers: '100%', // vitest leaves one core free, of two that is half
        },
      },
      {
        test: {
          name: 'interop',
          include: ['test/interop/**/*.test.ts'],
          setupFiles: ['test/interop/orphans.ts'],
          testTimeout: 180_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
    coverage: { provider: 'v8', include: ['src/**'], exclude: ['src/**/index.ts', 'src/cli/**'] },
  },
})
