import { Controller, Delete, Get, Inject, Post, Req, Res } from '@nestjs/common';
import { associationFromJson, type Metadefs } from '@glance/domain';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { BaseUrl } from '../http/base-url.js';
import { jsonObject } from '../http/json-body.js';
import { sendJson } from '../http/send-json.js';
import { tokens } from '../tokens.js';
import { associationView, pathOf, resourceTypeView } from './metadef-view.js';

type OneNamespace = FastifyRequest<{ Params: { namespace: string } }>;
type OneAssociation = FastifyRequest<{ Params: { namespace: string; type: string } }>;

@Controller('v2/metadefs')
export class ResourceTypesController {
  constructor(
    @Inject(tokens.metadefs) private readonly metadefs: Metadefs,
    @Inject(tokens.baseUrl) private readonly baseUrl: BaseUrl,
  ) {}

  @Get('resource_types')
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const types = await this.metadefs.listResourceTypes(request.caller);
    sendJson(reply, JSON.stringify({ resource_types: types.map(resourceTypeView) }));
  }

  @Get('namespaces/:namespace/resource_types')
  async listAssociations(@Req() request: OneNamespace, @Res() reply: FastifyReply): Promise<void> {
    const associations = await this.metadefs.listAssociations(request.caller, request.params.namespace);
    sendJson(reply, JSON.stringify({ resource_type_associations: associations.map(associationView) }));
  }

  @Post('namespaces/:namespace/resource_types')
  async associate(@Req() request: OneNamespace, @Res() reply: FastifyReply): Promise<void> {
    const wanted = associationFromJson(await jsonObject(request, reply));
    const { namespace } = request.params;
    const made = await this.metadefs.associate(request.caller, namespace, wanted);
    reply.header('location', this.baseUrl(request) + pathOf(namespace, 'resource_types', made.name));
    sendJson(reply, JSON.stringify(associationView(made)), 201);
  }

  @Delete('namespaces/:namespace/resource_types/:type')
  async dissociate(@Req() request: OneAssociation, @Res() reply: FastifyReply): Promise<void> {
    const { namespace, type } = request.params;
    await this.metadefs.dissociate(request.caller, namespace, type);
    reply.code(204).send();
  }
}
