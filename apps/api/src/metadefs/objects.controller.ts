import { Controller, Delete, Get, Inject, Post, Put, Req, Res } from '@nestjs/common';
import { type Metadefs, objectFromJson } from '@glance/domain';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { BaseUrl } from '../http/base-url.js';
import { jsonObject } from '../http/json-body.js';
import { sendJson } from '../http/send-json.js';
import { tokens } from '../tokens.js';
import { checkUnusedLimit } from './metadef-query.js';
import { objectView, pathOf } from './metadef-view.js';

type OneNamespace = FastifyRequest<{ Params: { namespace: string } }>;
type OneObject = FastifyRequest<{ Params: { namespace: string; object: string } }>;

@Controller('v2/metadefs/namespaces/:namespace/objects')
export class ObjectsController {
  constructor(
    @Inject(tokens.metadefs) private readonly metadefs: Metadefs,
    @Inject(tokens.baseUrl) private readonly baseUrl: BaseUrl,
  ) {}

  @Get()
  async list(@Req() request: OneNamespace, @Res() reply: FastifyReply): Promise<void> {
    checkUnusedLimit(request.query as URLSearchParams);
    const { namespace } = request.params;
    const objects = (await this.metadefs.list(request.caller, namespace, 'object')).map((object) =>
      objectView(namespace, object),
    );
    // Glance: this one link has no slash before it.
    sendJson(reply, JSON.stringify({ objects, schema: 'v2/schemas/metadefs/objects' }));
  }

  @Post()
  async create(@Req() request: OneNamespace, @Res() reply: FastifyReply): Promise<void> {
    const wanted = objectFromJson(await jsonObject(request, reply));
    const { namespace } = request.params;
    const made = await this.metadefs.create(request.caller, namespace, 'object', wanted);
    reply.header('location', this.baseUrl(request) + pathOf(namespace, 'objects', made.name));
    sendJson(reply, JSON.stringify(objectView(namespace, made)), 201);
  }

  @Get(':object')
  async show(@Req() request: OneObject, @Res() reply: FastifyReply): Promise<void> {
    const { namespace, object } = request.params;
    const found = await this.metadefs.show(request.caller, namespace, 'object', object);
    sendJson(reply, JSON.stringify(objectView(namespace, found)));
  }

  @Put(':object')
  async update(@Req() request: OneObject, @Res() reply: FastifyReply): Promise<void> {
    const { namespace, object } = request.params;
    const wanted = objectFromJson(await jsonObject(request, reply));
    const saved = await this.metadefs.update(request.caller, namespace, 'object', object, wanted);
    sendJson(reply, JSON.stringify(objectView(namespace, saved)));
  }

  @Delete(':object')
  async remove(@Req() request: OneObject, @Res() reply: FastifyReply): Promise<void> {
    const { namespace, object } = request.params;
    await this.metadefs.remove(request.caller, namespace, 'object', object);
    reply.code(204).send();
  }

  @Delete()
  async removeAll(@Req() request: OneNamespace, @Res() reply: FastifyReply): Promise<void> {
    await this.metadefs.removeAll(request.caller, request.params.namespace, 'object');
    reply.code(204).send();
  }
}
