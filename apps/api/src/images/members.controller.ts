import { Controller, Delete, Get, Inject, Post, Put, Req, Res } from '@nestjs/common';
import { type Members, memberStatuses, ServiceError } from '@glance/domain';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { jsonObject } from '../http/json-body.js';
import { plainText } from '../http/plain-text.js';
import { sendJson } from '../http/send-json.js';
import { tokens } from '../tokens.js';
import type { ImageSharing } from './image-sharing.js';
import { memberView } from './image-view.js';

type OneImage = FastifyRequest<{ Params: { id: string } }>;
type OneMember = FastifyRequest<{ Params: { id: string; member: string } }>;

@Controller('v2/images/:id/members')
export class MembersController {
  constructor(
    @Inject(tokens.members) private readonly members: Members,
    @Inject(tokens.sharing) private readonly sharing: ImageSharing,
  ) {}

  // Glance: 200, although something is created.
  @Post()
  async create(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    const { member } = await jsonObject(request, reply);
    if (typeof member !== 'string' || member === '') {
      throw new ServiceError('Invalid', 'The body must name a project: {"member": "<project id>"}.');
    }
    const created = await this.members.create(request.caller, request.params.id, plainText('A project id', member));
    await this.sharing.changed(request.caller, request.params.id);
    sendJson(reply, JSON.stringify(memberView(created)));
  }

  @Get()
  async list(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    const members = await this.members.list(request.caller, request.params.id);
    sendJson(reply, JSON.stringify({ members: members.map(memberView), schema: '/v2/schemas/members' }));
  }

  @Get(':member')
  async show(@Req() request: OneMember, @Res() reply: FastifyReply): Promise<void> {
    const { id, member } = request.params;
    sendJson(reply, JSON.stringify(memberView(await this.members.show(request.caller, id, member))));
  }

  @Put(':member')
  async update(@Req() request: OneMember, @Res() reply: FastifyReply): Promise<void> {
    const { id, member } = request.params;
    const body = await jsonObject(request, reply);
    const status = memberStatuses.find((known) => known === body['status']);
    if (!status) {
      throw new ServiceError('Invalid', `The body must have a "status", one of ${memberStatuses.join(', ')}.`);
    }
    sendJson(reply, JSON.stringify(memberView(await this.members.update(request.caller, id, member, status))));
  }

  @Delete(':member')
  async remove(@Req() request: OneMember, @Res() reply: FastifyReply): Promise<void> {
    const { id, member } = request.params;
    await this.members.remove(request.caller, id, member);
    await this.sharing.changed(request.caller, id);
    reply.code(204).send();
  }
}
