import { Controller, Delete, Get, Inject, Post, Put, Req, Res } from '@nestjs/common';
import { type Metadefs, tagFromJson, tagsFromJson } from '@glance/domain';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { BaseUrl } from '../http/base-url.js';
import { jsonObject, refuseBody } from '../http/json-body.js';
import { sendJson } from '../http/send-json.js';
import { tokens } from '../tokens.js';
import { tagQuery } from './metadef-query.js';
import { pathOf, tagView } from './metadef-view.js';

type OneNamespace = FastifyRequest<{ Params: { namespace: string } }>;
type OneTag = FastifyRequest<{ Params: { namespace: string; tag: string } }>;

const yes = ['1', 't', 'true', 'on', 'y', 'yes'];

@Controller('v2/metadefs/namespaces/:namespace/tags')
export class MetadefTagsController {
  constructor(
    @Inject(tokens.metadefs) private readonly metadefs: Metadefs,
    @Inject(tokens.baseUrl) private readonly baseUrl: BaseUrl,
  ) {}

  @Get()
  async list(@Req() request: OneNamespace, @Res() reply: FastifyReply): Promise<void> {
    const query = tagQuery(request.query as URLSearchParams);
    const tags = await this.metadefs.listTags(request.caller, request.params.namespace, query);
    sendJson(reply, JSON.stringify({ tags: tags.map(({ name }) => ({ name })) }));
  }

  @Post()
  async createMany(@Req() request: OneNamespace, @Res() reply: FastifyReply): Promise<void> {
    const tags = tagsFromJson(await jsonObject(request, reply));
    const append = yes.includes(String(request.headers['x-openstack-append'] ?? '').toLowerCase());
    const names = tags.map(({ name }) => name);
    await this.metadefs.createTags(request.caller, request.params.namespace, names, append);
    sendJson(reply, JSON.stringify({ tags }), 201);
  }

  @Post(':tag')
  async create(@Req() request: OneTag, @Res() reply: FastifyReply): Promise<void> {
    await refuseBody(request);
    const { namespace, tag } = request.params;
    const made = await this.metadefs.create(request.caller, namespace, 'tag', { name: tag });
    reply.header('location', this.baseUrl(request) + pathOf(namespace, 'tags', tag));
    sendJson(reply, JSON.stringify(tagView(made)), 201);
  }

  @Get(':tag')
  async show(@Req() request: OneTag, @Res() reply: FastifyReply): Promise<void> {
    const { namespace, tag } = request.params;
    sendJson(reply, JSON.stringify(tagView(await this.metadefs.show(request.caller, namespace, 'tag', tag))));
  }

  @Put(':tag')
  async update(@Req() request: OneTag, @Res() reply: FastifyReply): Promise<void> {
    const { namespace, tag } = request.params;
    const wanted = tagFromJson(await jsonObject(request, reply));
    const saved = await this.metadefs.update(request.caller, namespace, 'tag', tag, wanted);
    sendJson(reply, JSON.stringify(tagView(saved)));
  }

  @Delete(':tag')
  async remove(@Req() request: OneTag, @Res() reply: FastifyReply): Promise<void> {
    const { namespace, tag } = request.params;
    await this.metadefs.remove(request.caller, namespace, 'tag', tag);
    reply.code(204).send();
  }

  @Delete()
  async removeAll(@Req() request: OneNamespace, @Res() reply: FastifyReply): Promise<void> {
    await this.metadefs.removeAll(request.caller, request.params.namespace, 'tag');
    reply.code(204).send();
  }
}
