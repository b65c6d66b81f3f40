import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { cacheOptions, hostDeclarations } from '@glance/api';
import type { Command, Config, Program } from '@glance/config';
import { IMAGES, SCRUBBING, ServiceError, TASKS } from '@glance/domain';
import { startRegistry } from '@glance/registry';
import { inProcess, remote } from '@glance/rpc';
import {
  Applier,
  type ApplierParts,
  applyOptions,
  daemonOptions,
  idleSinceOf,
  inspectorOf,
  newHeader,
  openPlan,
  orphanOptions,
  Planner,
  planOptions,
  Scrubber,
  type ScrubberParts,
  scrubberOptions,
  startScrubber,
  writePlan,
} from '@glance/scrubber';
import type { CacheDirectory, Store, Stores } from '@glance/store';
import { adminOptions, openAdminPort } from '../admin-port.js';
import { imageCache } from '../cache.js';
import { messagingDeclarations, registryDeclarations } from '../config.js';
import type { Log } from '../log.js';
import { type Context, runProgram, type Running } from '../program.js';
import { registryParts } from '../registry-parts.js';
import { exposeService, remoteBroker, serviceChecks } from '../service.js';
import { stagingDeclarations, stagingPlace } from '../staging.js';
import { configuredStores, openStores, storePlaces } from '../stores.js';
import { version } from '../version.js';

/** Milliseconds that the staging area has to discard something. */
const discardTime = 60_000;

interface ScrubberCommand extends Command {
  run(scene: Scene, context: Context): Promise<Running | number>;
}

const commands: Readonly<Record<string, ScrubberCommand>> = {
  '': { summary: 'Do what is due: once, or with --daemon again and again.', run: scrub },
  plan: {
    summary: 'Say what there is to do, and change nothing: also what stores have that no image refers to.',
    options: planOptions,
    run: plan,
  },
  apply: {
    summary: 'Do what a plan says, unless it has changed since, and nothing else.',
    options: applyOptions,
    run: apply,
  },
};

const program: Program = {
  name: 'glance-scrubber',
  version,
  summary:
    'Erases the data of deleted images that is due, and finishes what dead processes left; once, or as a daemon.',
  configFiles: ['glance-api', 'glance-scrubber'],
  declarations: [
    ...registryDeclarations,
    ...messagingDeclarations,
    ...hostDeclarations,
    ...stagingDeclarations,
    cacheOptions,
    scrubberOptions,
    daemonOptions,
    orphanOptions,
    adminOptions,
  ],
  commands,
};

/** The registry and the stores, however they are reached. */
interface Scene {
  readonly broker: ReturnType<typeof inProcess>;
  readonly registry: Awaited<ReturnType<typeof startRegistry>> | undefined;
  readonly stores: Stores;
  /** Whose staged data this host reaches besides what all do, and where; undefined where it has none. */
  readonly host: string | null;
  readonly staging: Store | undefined;
  /** The one of this host, not opened; undefined where none is configured. */
  readonly cache: CacheDirectory | undefined;
  close(): Promise<void>;
}

/** `quiet`: nothing is made in stores, and nobody is told of anything. */
async function openScene(config: Config, log: Log, quiet: boolean): Promise<Scene> {
  const far = remoteBroker(config, log);
  const broker = far ?? inProcess(log);
  const { notifications, ...parts } = registryParts(config);
  const loud = quiet || notifications === undefined ? {} : { notifications };
  const registry = far ? undefined : await startRegistry({ ...parts, ...loud }, broker, log);
  const stores = quiet ? await configuredStores(config, log) : await openStores(config, log);
  const { host, store, scratchDirectory } = await stagingPlace(config, stores);
  const isStore = stores.ids.some((id) => stores.get(id) === store);
  // The directory of another host, or of none: then somebody else's scrubber looks after it.
  const here = isStore || existsSync(dirname(scratchDirectory));
  return {
    broker,
    registry,
    stores,
    host,
    staging: here ? store : undefined,
    cache: imageCache(config, log)?.directory,
    async close() {
      await registry?.close();
      await broker.close();
      await stores.close();
    },
  };
}

function scrubberParts({ broker, stores }: Scene, { config, log }: Context): Omit<ScrubberParts, 'scope'> {
  const { scrubPoolSize: poolSize } = config.read(scrubberOptions);
  const registry = remote(SCRUBBING, broker);
  return { images: remote(IMAGES, broker), tasks: remote(TASKS, broker), registry, stores, logger: log, poolSize };
}

function applierParts(scene: Scene, context: Context): ApplierParts {
  const { staging, cache, stores, broker } = scene;
  return {
    ...scrubberParts(scene, context),
    stores,
    tasks: remote(TASKS, broker),
    inspector: inspectorOf(stores, staging, cache),
    defaultStore: stores.defaultId,
    discard: {
      ...(staging && {
        staging: (name, signal) => staging.discard(name, AbortSignal.any([signal, AbortSignal.timeout(discardTime)])),
      }),
      ...(cache && { cache: (id) => cache.remove(id) }),
    },
  };
}

async function plan(scene: Scene, { config, log }: Context): Promise<number> {
  const { scrubGraceTime: grace } = config.read(orphanOptions);
  const header = newHeader(grace);
  const planner = new Planner({
    registry: remote(SCRUBBING, scene.broker),
    inspector: inspectorOf(scene.stores, scene.staging, scene.cache),
    logger: log,
    host: scene.host,
    idleSince: idleSinceOf(header),
  });
  const format = config.read(planOptions).json ? 'json' : 'table';
  await writePlan(header, planner.items(new AbortController().signal), process.stdout, format);
  return 0;
}

async function apply(scene: Scene, context: Context): Promise<number> {
  const { plan: path, maxItems: items, maxBytes: bytes, maxSeconds: seconds } = context.config.read(applyOptions);
  if (path === undefined) throw new ServiceError('Invalid', 'Say which plan: --plan FILE.');
  const { header, items: planned, close } = await openPlan(path);
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
  try {
    const applier = new Applier(applierParts(scene, context));
    const { log, limited } = await applier.apply(header, planned, { items, bytes, seconds }, stop.signal);
    const { outcomes, bytes: erased, errors } = log.report;
    const counts = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`);
    process.stdout.write(
      `${[...counts, `${erased} bytes erased`].join(', ')}${limited ? '; a limit is reached' : ''}\n`,
    );
    for (const error of errors) process.stderr.write(`${error}\n`);
    return outcomes['failed'] === undefined ? 0 : 1;
  } finally {
    await close();
  }
}

async function restore({ broker }: Scene, id: string): Promise<number> {
  const { status, locations } = await remote(IMAGES, broker).restore(null, id);
  process.stdout.write(`The image ${id} is ${status} again, with ${locations.length} location(s).\n`);
  return 0;
}

async function scrub(scene: Scene, context: Context): Promise<Running | number> {
  const { config } = context;
  const { wakeupTime } = config.read(scrubberOptions);
  const { daemon, restore: restored } = config.read(daemonOptions);
  if (restored !== undefined) return restore(scene, restored);
  const { scrubOrphans, scrubGraceTime: grace } = config.read(orphanOptions);
  const applying = applierParts(scene, context);
  const orphans = { applier: new Applier(applying), inspector: applying.inspector, grace };
  const parts = { ...scrubberParts(scene, context), scope: 'all', ...(scrubOrphans && { orphans }) } as const;
  if (daemon) {
    const admin = await openAdminPort(config.read(adminOptions));
    const scrubber = await startScrubber(wakeupTime * 1000, parts);
    admin.started(serviceChecks(scene.broker, scene.registry, scene.stores));
    exposeService(scene.broker, scene.registry, scene.stores);
    return {
      async stop() {
        admin.stopping();
        await scrubber.close();
        await scene.close();
      },
    };
  }
  const { deleted, undone, inUse, failed } = await new Scrubber(parts).run(new AbortController().signal);
  process.stdout.write(`${deleted} deleted, ${undone} interrupted uploads undone, ${inUse} in use, ${failed} failed\n`);
  return failed === 0 ? 0 : 1;
}

async function body(context: Context): Promise<Running | number> {
  const { config, log, commandLine } = context;
  const command = commandLine.command ?? '';
  const scene = await openScene(config, log, command === 'plan');
  let running: Running | number = 0;
  try {
    running = await commands[command]!.run(scene, context);
    return running;
  } finally {
    // A daemon closes it when it is stopped.
    if (typeof running === 'number') await scene.close();
  }
}

await runProgram(program, body, { more: storePlaces });
