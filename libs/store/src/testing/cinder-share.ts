import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoreDriver } from '../driver.js';
import { type CinderSettings, create, options } from '../drivers/cinder.js';
import { BlockStorage, cinderUser } from './block-storage.js';
import { settingsOf } from './settings.js';

const share = 'nas.example:/volumes';

export interface CinderStandIn {
  readonly storage: BlockStorage;
  /** As `cinder_mount_point_base`. */
  readonly base: string;
  driver(changes?: Partial<CinderSettings>, backend?: string): StoreDriver;
  close(): Promise<void>;
}

/** The stand-in for Cinder; a file system in memory is mounted where its share belongs. */
export async function cinderStandIn(): Promise<CinderStandIn> {
  const base = mkdtempSync(join(tmpdir(), 'glance-cinder-'));
  const directory = join(base, 'nfs', createHash('sha256').update(share).digest('hex'));
  mkdirSync(directory, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1g', share, directory]);
  const storage = new BlockStorage(share, directory);
  await storage.start();
  return {
    storage,
    base,
    driver: (changes = {}, backend) =>
      create(
        settingsOf(options, {
          cinderStoreAuthAddress: `${storage.url}/v3`,
          cinderStoreUserName: cinderUser.name,
          cinderStorePassword: cinderUser.password,
          cinderStoreProjectName: cinderUser.project,
          cinderMountPointBase: base,
          ...changes,
        }),
        backend,
      ),
    async close() {
      await storage.close();
      // Whoever was stopped may still be closing a file.
      execFileSync('umount', ['-l', directory]);
      rmSync(base, { recursive: true });
    },
  };
}
