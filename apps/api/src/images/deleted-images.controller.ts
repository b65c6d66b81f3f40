import { Controller, Get, Inject, Param, Post, Req, Res } from '@nestjs/common';
import type { DeletedImage, Images } from '@glance/domain';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiSettings } from '../config.js';
import { refuseBody } from '../http/json-body.js';
import { nextLink, pageOf } from '../http/page-of.js';
import { sendJson } from '../http/send-json.js';
import { tokens } from '../tokens.js';

/** Ours, not Glance's: deleted images whose data the scrubber has not erased yet (`delayed_delete`). */
@Controller('v2/deleted_images')
export class DeletedImagesController {
  constructor(
    @Inject(tokens.images) private readonly images: Images,
    @Inject(tokens.settings) private readonly settings: ApiSettings,
  ) {}

  @Get()
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const page = pageOf(request.query as URLSearchParams, this.settings);
    const found = await this.images.listDeleted(request.caller, page);
    const next = nextLink('/v2/deleted_images', page, found);
    sendJson(reply, JSON.stringify({ deleted_images: found.map(view), ...next }));
  }

  @Post(':id/restore')
  async restore(@Req() request: FastifyRequest, @Param('id') id: string, @Res() reply: FastifyReply): Promise<void> {
    await refuseBody(request);
    await this.images.restore(request.caller, id);
    reply.code(204).send();
  }
}

const view = ({ id, name, owner, size, deletedAt, goesAt }: DeletedImage): object => ({
  id,
  name,
  owner,
  size,
  deleted_at: deletedAt,
  erased_after: goesAt,
});
