import { Controller, Delete, Get, Inject, Put, Req, Res } from '@nestjs/common';
import type { Caching } from '@glance/domain';
import type { ImageCache } from '@glance/store';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { refuseBody } from '../http/json-body.js';
import { sendJson } from '../http/send-json.js';
import { tokens } from '../tokens.js';
import { clearQueue, existing } from './cache.controller.js';
import type { CachedImages } from './cached-images.js';
import { cachedImagesView } from './cached-images-view.js';

type OneImage = FastifyRequest<{ Params: { id: string } }>;

// Glance: the older API of the flavors with cachemanagement; its own glance-cache-manage of before 2025.1 uses it.
class CacheManagement {
  constructor(
    @Inject(tokens.caching) private readonly caching: Caching,
    @Inject(tokens.cachedImages) private readonly cached: CachedImages | undefined,
  ) {}

  protected async parts(request: FastifyRequest): Promise<{ cached: CachedImages; cache: ImageCache }> {
    await this.caching.check(request.caller, 'manage_image_cache');
    const cached = existing(this.cached);
    return { cached, cache: cached.cache };
  }
}

@Controller('v2/cached_images')
export class CachedImagesController extends CacheManagement {
  @Get()
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { cache } = await this.parts(request);
    sendJson(reply, JSON.stringify({ cached_images: await cachedImagesView(cache.directory) }));
  }

  @Delete()
  async clear(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { cache } = await this.parts(request);
    sendJson(reply, JSON.stringify({ num_deleted: await cache.clear() }));
  }

  @Delete(':id')
  async remove(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    const { cache } = await this.parts(request);
    await cache.remove(request.params.id);
    sendJson(reply, 'null');
  }
}

@Controller('v2/queued_images')
export class QueuedImagesController extends CacheManagement {
  @Get()
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { cache } = await this.parts(request);
    sendJson(reply, JSON.stringify({ queued_images: await cache.directory.queue() }));
  }

  @Put(':id')
  async queue(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    await refuseBody(request);
    const { cached } = await this.parts(request);
    await cached.queue(request.params.id);
    sendJson(reply, 'null');
  }

  @Delete()
  async clear(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { cache } = await this.parts(request);
    sendJson(reply, JSON.stringify({ num_deleted: await clearQueue(cache.directory) }));
  }

  @Delete(':id')
  async remove(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    const { cache } = await this.parts(request);
    await cache.directory.dequeue(request.params.id);
    sendJson(reply, 'null');
  }
}
