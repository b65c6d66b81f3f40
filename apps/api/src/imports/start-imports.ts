import type { ApiParts } from '../api.module.js';
import type { ApiSettings } from '../config.js';
import type { Traffic } from '../http/traffic.js';
import { inspectImage } from '../images/inspect-image.js';
import { AddressGuard, WebClient } from '@glance/store';
import { UrlFilter } from './download/url-filter.js';
import { webSources } from './download/web-source.js';
import { ImportEngine } from './import-engine.js';
import { importSlots } from './import-metrics.js';
import { importPlugins } from './plugins/import-plugins.js';
import { Scratch } from './scratch.js';
import { importSources } from './sources.js';
import { StagingArea } from './staging-area.js';

/** What of imports runs in this process. */
export interface Imports {
  readonly staging: StagingArea;
  readonly engine: ImportEngine;
  readonly filter: UrlFilter;
}

/** Milliseconds between two looks for tasks. */
const interval = 3_000;

/** Begins to work off the queue of tasks. */
export function startImports(settings: ApiSettings, parts: ApiParts, traffic: Traffic): Imports {
  const { images, tasks, stores, logger } = parts;
  const staging = new StagingArea({ images, tasks, place: parts.staging, logger });
  const guard = new AddressGuard(settings.allowedNetworks, '[import_filtering_opts] allowed_networks');
  const filter = new UrlFilter(settings, guard);
  const client = new WebClient({
    check: (url) => filter.check(url),
    lookup: guard.lookup,
    patience: settings.webDownloadPatience * 1000,
  });
  const { webDownloadRetries: retries, webDownloadDeadline: deadline } = settings;
  const web = webSources(client, { retries, deadline: deadline * 1000, pause: 1_000 });
  const inspect = inspectImage(settings, logger);
  importSlots.set(settings.taskPoolThreads);
  const engine = new ImportEngine({
    tasks,
    stores,
    logger,
    staging,
    traffic,
    interval,
    poolSize: settings.taskPoolThreads,
    hashAlgorithm: settings.hashingAlgorithm,
    httpRetries: settings.httpRetries,
    inspect,
    sourceOf: importSources({ stores, staging, web }),
    plugins: importPlugins(settings, { inspect }),
    scratch: new Scratch(parts.staging.scratchDirectory),
  });
  return { staging, engine, filter };
}
