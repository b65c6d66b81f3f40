import { Controller, Delete, Inject, Put, Req, Res } from '@nestjs/common';
import type { Images } from '@glance/domain';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { refuseBody } from '../http/json-body.js';
import { plainText } from '../http/plain-text.js';
import { tokens } from '../tokens.js';

type OneTag = FastifyRequest<{ Params: { id: string; tag: string } }>;

@Controller('v2/images/:id/tags/:tag')
export class TagsController {
  constructor(@Inject(tokens.images) private readonly images: Images) {}

  @Put()
  async add(@Req() request: OneTag, @Res() reply: FastifyReply): Promise<void> {
    await refuseBody(request);
    const { id, tag } = request.params;
    await this.images.addTag(request.caller, id, plainText('A tag', tag));
    reply.code(204).send();
  }

  @Delete()
  async remove(@Req() request: OneTag, @Res() reply: FastifyReply): Promise<void> {
    const { id, tag } = request.params;
    await this.images.removeTag(request.caller, id, plainText('A tag', tag));
    reply.code(204).send();
  }
}
