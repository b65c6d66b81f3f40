import { Controller, Delete, Get, Inject, Post, Put, Req, Res } from '@nestjs/common';
import { type Metadefs, namespaceFromJson } from '@glance/domain';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiSettings } from '../config.js';
import type { BaseUrl } from '../http/base-url.js';
import { jsonObject } from '../http/json-body.js';
import { sendJson } from '../http/send-json.js';
import { tokens } from '../tokens.js';
import { namespaceQuery } from './metadef-query.js';
import { namespaceLinks, namespaceView, pathOf } from './metadef-view.js';

type OneNamespace = FastifyRequest<{ Params: { namespace: string } }>;

@Controller('v2/metadefs/namespaces')
export class NamespacesController {
  constructor(
    @Inject(tokens.metadefs) private readonly metadefs: Metadefs,
    @Inject(tokens.settings) private readonly settings: ApiSettings,
    @Inject(tokens.baseUrl) private readonly baseUrl: BaseUrl,
  ) {}

  @Get()
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const parameters = request.query as URLSearchParams;
    const { limitParamDefault, apiLimitMax } = this.settings;
    const query = namespaceQuery(parameters, { default: limitParamDefault, max: apiLimitMax });
    const { namespaces, next } = await this.metadefs.listNamespaces(request.caller, query);
    const links = namespaceLinks(parameters, next);
    const page = { namespaces: namespaces.map(namespaceView), ...links, schema: '/v2/schemas/metadefs/namespaces' };
    sendJson(reply, JSON.stringify(page));
  }

  @Post()
  async create(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const wanted = namespaceFromJson(await jsonObject(request, reply));
    const made = await this.metadefs.createNamespace(request.caller, wanted);
    reply.header('location', this.baseUrl(request) + pathOf(made.name));
    sendJson(reply, JSON.stringify(namespaceView(made)), 201);
  }

  @Get(':namespace')
  async show(@Req() request: OneNamespace, @Res() reply: FastifyReply): Promise<void> {
    const resourceType = (request.query as URLSearchParams).get('resource_type') ?? undefined;
    const { namespace } = request.params;
    const found = await this.metadefs.showNamespace(request.caller, namespace, resourceType);
    sendJson(reply, JSON.stringify(namespaceView(found)));
  }

  @Put(':namespace')
  async update(@Req() request: OneNamespace, @Res() reply: FastifyReply): Promise<void> {
    // Glance: what the namespace would hold is read, and nothing more.
    const { associations, properties, objects, tags, ...attributes } = namespaceFromJson(
      await jsonObject(request, reply),
    );
    const { namespace } = request.params;
    const saved = await this.metadefs.updateNamespace(request.caller, namespace, attributes);
    sendJson(reply, JSON.stringify(namespaceView(saved)));
  }

  @Delete(':namespace')
  async remove(@Req() request: OneNamespace, @Res() reply: FastifyReply): Promise<void> {
    await this.metadefs.removeNamespace(request.caller, request.params.namespace);
    reply.code(204).send();
  }
}
