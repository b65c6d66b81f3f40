import { Controller, Delete, Get, Inject, Post, Put, Req, Res } from '@nestjs/common';
import { type Metadefs, propertyFromJson } from '@glance/domain';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { BaseUrl } from '../http/base-url.js';
import { jsonObject } from '../http/json-body.js';
import { sendJson } from '../http/send-json.js';
import { tokens } from '../tokens.js';
import { pathOf, propertiesView, propertyView } from './metadef-view.js';

type OneNamespace = FastifyRequest<{ Params: { namespace: string } }>;
type OneProperty = FastifyRequest<{ Params: { namespace: string; property: string } }>;

@Controller('v2/metadefs/namespaces/:namespace/properties')
export class PropertiesController {
  constructor(
    @Inject(tokens.metadefs) private readonly metadefs: Metadefs,
    @Inject(tokens.baseUrl) private readonly baseUrl: BaseUrl,
  ) {}

  @Get()
  async list(@Req() request: OneNamespace, @Res() reply: FastifyReply): Promise<void> {
    const properties = await this.metadefs.list(request.caller, request.params.namespace, 'property');
    sendJson(reply, JSON.stringify({ properties: propertiesView(properties) }));
  }

  @Post()
  async create(@Req() request: OneNamespace, @Res() reply: FastifyReply): Promise<void> {
    const wanted = propertyFromJson(await jsonObject(request, reply));
    const { namespace } = request.params;
    const made = await this.metadefs.create(request.caller, namespace, 'property', wanted);
    reply.header('location', this.baseUrl(request) + pathOf(namespace, 'properties', made.name));
    sendJson(reply, JSON.stringify(propertyView(made)), 201);
  }

  @Get(':property')
  async show(@Req() request: OneProperty, @Res() reply: FastifyReply): Promise<void> {
    const { namespace, property } = request.params;
    const resourceType = (request.query as URLSearchParams).get('resource_type');
    const found = resourceType
      ? await this.metadefs.showPropertyOn(request.caller, namespace, resourceType, property)
      : await this.metadefs.show(request.caller, namespace, 'property', property);
    sendJson(reply, JSON.stringify(propertyView(found)));
  }

  @Put(':property')
  async update(@Req() request: OneProperty, @Res() reply: FastifyReply): Promise<void> {
    const { namespace, property } = request.params;
    const wanted = propertyFromJson(await jsonObject(request, reply));
    const saved = await this.metadefs.update(request.caller, namespace, 'property', property, wanted);
    sendJson(reply, JSON.stringify(propertyView(saved)));
  }

  @Delete(':property')
  async remove(@Req() request: OneProperty, @Res() reply: FastifyReply): Promise<void> {
    const { namespace, property } = request.params;
    await this.metadefs.remove(request.caller, namespace, 'property', property);
    reply.code(204).send();
  }

  @Delete()
  async removeAll(@Req() request: OneNamespace, @Res() reply: FastifyReply): Promise<void> {
    await this.metadefs.removeAll(request.caller, request.params.namespace, 'property');
    reply.code(204).send();
  }
}
