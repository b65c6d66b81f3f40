import type { ApiParts } from '../api.module.js';
import type { ApiSettings } from '../config.js';
import type { Traffic } from '../http/traffic.js';
import { formatsOf } from '../images/attributes.js';
import { inspectImage } from '../images/inspect-image.js';
import { KeystoneClient } from '@glance/keystone';
import type { Signatures } from '../signatures/signatures.js';
import { AddressGuard, WebClient } from '@glance/store';
import { UrlFilter } from './download/url-filter.js';
import { webSources } from './download/web-source.js';
import { ImportEngine } from './import-engine.js';
import { importSlots } from './import-metrics.js';
import { UploadConversion } from '../images/upload-conversion.js';
import { imageConversion } from './plugins/image-conversion.js';
import { importPlugins } from './plugins/import-plugins.js';
import { Scratch } from './scratch.js';
import { importSources } from './sources.js';
import { StagingArea } from './staging-area.js';

/** What of imports runs in this process. */
export interface Imports {
  readonly staging: StagingArea;
  readonly engine: ImportEngine;
  readonly filter: UrlFilter;
  /** Absent where uploads are stored as they come. */
  readonly uploads?: UploadConversion;
}

/** Milliseconds between two looks for tasks. */
const interval = 3_000;

/** Begins to work off the queue of tasks. */
export function startImports(
  settings: ApiSettings,
  parts: ApiParts,
  { traffic, signatures }: { traffic: Traffic; signatures: Signatures },
): Imports {
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
  const account = settings.keystone?.authUrl === undefined ? undefined : settings.keystone;
  const keystone = account && new KeystoneClient({ ...account, group: '[keystone_authtoken]' });
  const formats = formatsOf(settings);
  const inspect = inspectImage(settings, logger);
  const { outputFormat, conversions } = settings;
  const conversion = imageConversion({ outputFormat, conversions, inspect });
  const scratch = new Scratch(parts.staging.scratchDirectory);
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
    signatures,
    sourceOf: importSources({ stores, staging, web, keystone, formats, extraProperties: settings.extraProperties }),
    plugins: importPlugins(settings, conversion),
    scratch,
  });
  return {
    staging,
    engine,
    filter,
    ...(settings.convertUploads && { uploads: new UploadConversion(conversion, scratch) }),
  };
}
