import { defineConfig } from 'vitest/config';

// Tests import the TypeScript sources of the workspace packages: no build comes first.
const conditions = ['glance-source', 'node', 'import', 'default'];
const shared = {
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: ['node', 'import', 'default'] } },
};

// Scenarios that wait for servers to give up and to recover; `npm run test:slow`.
const slow = [
  'libs/store/src/drivers/rbd/outages.spec.ts',
  'libs/store/src/drivers/cinder/cinder-server.spec.ts',
  'libs/store/src/drivers/vmware/vsphere-simulator.spec.ts',
  'e2e/long-outages.spec.ts',
  'e2e/glance-download.spec.ts',
  'e2e/killed-imports.spec.ts',
  'e2e/killed-import-steps.spec.ts',
  'e2e/killed-scrubbers.spec.ts',
  'e2e/cache-faults.spec.ts',
  'e2e/backup.spec.ts',
  'tools/deploy/images.spec.ts',
  'e2e/hung-worker.spec.ts',
  'e2e/rolling-upgrade.spec.ts',
  'e2e/three-stores.spec.ts',
  'e2e/operator-walk.spec.ts',
];

// OpenStack's own suite; `npm run e2e:tempest`.
const tempest = 'e2e/tempest.spec.ts';

const e2e = {
  globalSetup: ['tools/services/global-setup.ts'],
  testTimeout: 300_000,
  hookTimeout: 120_000,
};

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        ...shared,
        test: {
          name: 'unit',
          include: ['apps/**/*.spec.ts', 'libs/**/*.spec.ts', 'tools/**/*.spec.ts'],
          exclude: [...slow, '**/node_modules/**'],
          globalSetup: ['tools/services/global-setup.ts'],
          // Real servers on a busy machine take their time; a test that hangs fails all the same.
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...shared,
        test: {
          name: 'slow',
          include: [
            ...slow,
            'libs/format/src/mutations.spec.ts',
            'apps/registry/src/authorization/random-files.spec.ts',
          ],
          env: { MUTATIONS: '100000', RANDOM_FILES: '10000' },
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      { ...shared, test: { name: 'e2e', include: ['e2e/**/*.spec.ts'], exclude: [...slow, tempest], ...e2e } },
      { ...shared, test: { name: 'tempest', include: [tempest], ...e2e } },
      {
        ...shared,
        // The same, against api, registry and scrubber as processes of their own.
        test: {
          name: 'e2e-three',
          include: [
            'e2e/*client.spec.ts',
            'e2e/broken-days.spec.ts',
            'e2e/sudden-death.spec.ts',
            'e2e/bad-requests.spec.ts',
          ],
          env: { E2E_DEPLOYMENT: 'three' },
          ...e2e,
        },
      },
    ],
  },
});
