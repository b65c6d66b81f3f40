import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import type { Caching, Images, Logger, Members, Metadefs, Scrubbing, Tasks } from '@glance/domain';
import type { ImageCache, Stores } from '@glance/store';
import type { FastifyRequest } from 'fastify';
import type { ApiSettings } from './config.js';
import { CacheController } from './cache/cache.controller.js';
import { CachedImagesController, QueuedImagesController } from './cache/cache-management.controllers.js';
import type { CachedImages } from './cache/cached-images.js';
import { InfoController } from './discovery/info.controller.js';
import { SchemasController } from './discovery/schemas.controller.js';
import { VersionsController } from './discovery/versions.controller.js';
import { HealthController } from './health/health.controller.js';
import { type BaseUrl } from './http/base-url.js';
import type { ErrorFilter } from './http/error-filter.js';
import type { Traffic } from './http/traffic.js';
import type { Identity } from './identity/identity.js';
import { ActionsController } from './images/actions.controller.js';
import { DeletedImagesController } from './images/deleted-images.controller.js';
import { ImageDataController } from './images/image-data.controller.js';
import { ImageData } from './images/image-data.js';
import { ImageSharing } from './images/image-sharing.js';
import { imageView } from './images/image-view.js';
import { ImagesController } from './images/images.controller.js';
import { inspectImage } from './images/inspect-image.js';
import { ImportsController } from './imports/imports.controller.js';
import type { Imports } from './imports/start-imports.js';
import type { StagingPlace } from './imports/staging-area.js';
import { LocationRenewal } from './images/location-renewal.js';
import { LocationsController } from './images/locations.controller.js';
import { ImageLocations } from './images/image-locations.js';
import { MembersController } from './images/members.controller.js';
import { TagsController } from './images/tags.controller.js';
import { MetadefTagsController } from './metadefs/metadef-tags.controller.js';
import { NamespacesController } from './metadefs/namespaces.controller.js';
import { ObjectsController } from './metadefs/objects.controller.js';
import { PropertiesController } from './metadefs/properties.controller.js';
import { ResourceTypesController } from './metadefs/resource-types.controller.js';
import { OpenApiController } from './openapi/openapi.controller.js';
import { ScrubberRunsController } from './scrubbing/scrubber-runs.controller.js';
import type { Signatures } from './signatures/signatures.js';
import { TasksController } from './tasks/tasks.controller.js';
import { tokens } from './tokens.js';

/** What the api works with: who knows the facts, who keeps the bytes, where to report. */
export interface ApiParts {
  readonly images: Images;
  readonly members: Members;
  readonly metadefs: Metadefs;
  readonly tasks: Tasks;
  readonly scrubbing: Scrubbing;
  readonly caching: Caching;
  readonly stores: Stores;
  /** Copies of images on this host, and how other hosts are told that one is not to be served any more. */
  readonly cache?: {
    readonly images: ImageCache;
    readonly node: string | null;
    readonly tell: (node: string, id: string) => Promise<void>;
  };
  /** Where data waits for its import. */
  readonly staging: StagingPlace;
  readonly logger: Logger;
  /** Who vouches for callers; by the flavor of the pipeline if absent. */
  readonly identity?: Identity;
}

/** What `startApi` has made already, because Fastify needs it too. */
export interface FrontParts {
  readonly traffic: Traffic;
  readonly imports: Imports;
  readonly signatures: Signatures;
  readonly cached: CachedImages | undefined;
  readonly errors: ErrorFilter;
  readonly baseUrl: BaseUrl;
  readonly versions: (request: FastifyRequest) => string;
}

/** Who answers the routes of the older cache API. */
const cacheManagement = [CachedImagesController, QueuedImagesController] as const;

/** Who answers which routes. */
export const controllers = [
  ImagesController,
  ImageDataController,
  ImportsController,
  LocationsController,
  MembersController,
  TagsController,
  TasksController,
  ActionsController,
  DeletedImagesController,
  ScrubberRunsController,
  CacheController,
  ...cacheManagement,
  NamespacesController,
  PropertiesController,
  ObjectsController,
  MetadefTagsController,
  ResourceTypesController,
  OpenApiController,
  SchemasController,
  InfoController,
  VersionsController,
  HealthController,
] as const;

@Module({})
export class ApiModule {
  static with(settings: ApiSettings, parts: ApiParts, front: FrontParts): DynamicModule {
    const { images, members, metadefs, tasks, scrubbing, caching, stores, logger } = parts;
    const managesCache = /cachemanagement/.test(settings.flavor ?? '');
    const caches = managesCache || /caching/.test(settings.flavor ?? '');
    const sharing = new ImageSharing({ images, members, stores, logger });
    const data = new ImageData({
      images,
      stores,
      sharing,
      logger,
      hashAlgorithm: settings.hashingAlgorithm,
      inspect: inspectImage(settings, logger),
      signatures: front.signatures,
      conversion: front.imports.uploads,
    });
    const renewal = new LocationRenewal(images, stores, logger);
    const view = imageView({
      current: (locations) => renewal.ordered(locations),
      directUrl: settings.showImageDirectUrl,
      locations: settings.showMultipleLocations,
      stores: stores.named,
    });
    const values: readonly [symbol, unknown][] = [
      [tokens.images, images],
      [tokens.members, members],
      [tokens.metadefs, metadefs],
      [tokens.tasks, tasks],
      [tokens.scrubbing, scrubbing],
      [tokens.caching, caching],
      [tokens.cachedImages, front.cached],
      [tokens.downloads, caches ? front.cached?.cache : undefined],
      [tokens.staging, front.imports.staging],
      [tokens.engine, front.imports.engine],
      [tokens.signatures, front.signatures],
      [tokens.urlFilter, front.imports.filter],
      [tokens.sharing, sharing],
      [tokens.stores, stores],
      [tokens.imageData, data],
      [tokens.locationRenewal, renewal],
      [tokens.imageLocations, new ImageLocations(images, stores, data)],
      [tokens.imageView, view],
      [tokens.settings, settings],
      [tokens.traffic, front.traffic],
      [tokens.baseUrl, front.baseUrl],
      [tokens.versions, front.versions],
    ];
    return {
      module: ApiModule,
      controllers: controllers.filter((each) => managesCache || !cacheManagement.some((one) => one === each)),
      providers: [
        ...values.map(([provide, useValue]) => ({ provide, useValue })),
        { provide: APP_FILTER, useValue: front.errors },
      ],
    };
  }
}
