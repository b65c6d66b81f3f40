import { Controller, Delete, Get, Inject, Post, Put, Req, Res } from '@nestjs/common';
import { type CacheRule, type Caching, isServiceError, ServiceError } from '@glance/domain';
import type { CacheDirectory } from '@glance/store';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiSettings } from '../config.js';
import { refuseBody } from '../http/json-body.js';
import { sendJson } from '../http/send-json.js';
import { tokens } from '../tokens.js';
import type { CachedImages } from './cached-images.js';
import { cachedImagesView } from './cached-images-view.js';

type OneImage = FastifyRequest<{ Params: { id: string } }>;

const targets = { '': ['cache', 'queue'], cache: ['cache'], queue: ['queue'] } as const;

/** The cache of the host that answers. */
@Controller('v2/cache')
export class CacheController {
  constructor(
    @Inject(tokens.caching) private readonly caching: Caching,
    @Inject(tokens.cachedImages) private readonly cached: CachedImages | undefined,
    @Inject(tokens.settings) private readonly settings: ApiSettings,
  ) {}

  @Get()
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { directory } = (await this.allowed(request, 'cache_list')).cache;
    const [cached_images, queued_images] = [await cachedImagesView(directory), await directory.queue()];
    sendJson(reply, JSON.stringify({ cached_images, queued_images }));
  }

  @Get('nodes/:id')
  async nodes(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    this.existing();
    const nodes = await this.caching.nodes(request.caller, request.params.id);
    if (this.settings.imageCacheDriver !== 'centralized_db') {
      throw new ServiceError('Conflict', 'Only with image_cache_driver = centralized_db do hosts know of each other.');
    }
    sendJson(reply, JSON.stringify(nodes));
  }

  @Put(':id')
  async queue(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    await refuseBody(request);
    const cached = this.existing();
    const { id, status } = await this.caching.image(request.caller, 'cache_image', request.params.id);
    if (status !== 'active')
      throw new ServiceError('Invalid', `The image ${id} is ${status}: only active ones are cached.`);
    await cached.queue(id);
    reply.code(202).send();
  }

  @Delete()
  async clear(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { cache } = await this.allowed(request, 'cache_delete');
    const target = String(request.headers['x-image-cache-clear-target'] ?? '').toLowerCase();
    if (!Object.hasOwn(targets, target)) {
      throw new ServiceError('Invalid', 'x-image-cache-clear-target must be cache, queue, or empty for both.');
    }
    const parts: readonly string[] = targets[target as keyof typeof targets];
    if (parts.includes('cache')) await cache.clear();
    if (parts.includes('queue')) await clearQueue(cache.directory);
    reply.code(204).send();
  }

  @Delete(':id')
  async remove(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    const { cache } = this.existing();
    const { id } = request.params;
    try {
      await this.caching.image(request.caller, 'cache_delete', id);
    } catch (error) {
      // Its record may be gone.
      if (!isServiceError(error, 'NotFound') || !(await isIn(cache.directory, id))) throw error;
      await this.caching.check(request.caller, 'cache_delete');
    }
    await cache.remove(id);
    await cache.directory.dequeue(id);
    reply.code(204).send();
  }

  @Post('clean')
  async clean(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await refuseBody(request);
    await (await this.allowed(request, 'cache_clean')).clean();
    sendJson(reply, 'null');
  }

  @Post('prune')
  async prune(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await refuseBody(request);
    const { cache } = await this.allowed(request, 'cache_prune');
    const { files, bytes } = await cache.prune();
    sendJson(reply, JSON.stringify({ total_files_pruned: files, total_bytes_pruned: bytes }));
  }

  private existing(): CachedImages {
    return existing(this.cached);
  }

  private async allowed(request: FastifyRequest, rule: CacheRule): Promise<CachedImages> {
    const cached = this.existing();
    await this.caching.check(request.caller, rule);
    return cached;
  }
}

/** `NotFound` where there is none. */
export function existing(cached: CachedImages | undefined): CachedImages {
  if (!cached) throw new ServiceError('NotFound', 'There is no image cache here: image_cache_dir is not set.');
  return cached;
}

/** Answers with how many there were. */
export async function clearQueue(directory: CacheDirectory): Promise<number> {
  const ids = await directory.queue();
  for (const id of ids) await directory.dequeue(id);
  return ids.length;
}

async function isIn(directory: CacheDirectory, id: string): Promise<boolean> {
  return (await directory.queue()).includes(id) || (await directory.entries()).some((entry) => entry.id === id);
}
