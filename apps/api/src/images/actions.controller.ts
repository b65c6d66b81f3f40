import { Controller, Inject, Post, Req, Res } from '@nestjs/common';
import type { Images } from '@glance/domain';
import type { CachedImages } from '../cache/cached-images.js';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { refuseBody } from '../http/json-body.js';
import { tokens } from '../tokens.js';

type OneImage = FastifyRequest<{ Params: { id: string } }>;

@Controller('v2/images/:id/actions')
export class ActionsController {
  constructor(
    @Inject(tokens.images) private readonly images: Images,
    @Inject(tokens.cachedImages) private readonly cached: CachedImages | undefined,
  ) {}

  @Post('deactivate')
  async deactivate(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    await refuseBody(request);
    await this.images.deactivate(request.caller, request.params.id);
    await this.cached?.gone(request.params.id);
    reply.code(204).send();
  }

  @Post('reactivate')
  async reactivate(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    await refuseBody(request);
    await this.images.reactivate(request.caller, request.params.id);
    reply.code(204).send();
  }
}
