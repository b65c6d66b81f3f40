import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { type Images, ServiceError } from '@glance/domain';
import type { StoreFacts, Stores } from '@glance/store';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiSettings } from '../config.js';
import { sendJson } from '../http/send-json.js';
import { tokens } from '../tokens.js';

@Controller('v2/info')
export class InfoController {
  constructor(
    @Inject(tokens.images) private readonly images: Images,
    @Inject(tokens.stores) private readonly stores: Stores,
    @Inject(tokens.settings) private readonly settings: ApiSettings,
  ) {}

  @Get('import')
  importMethods(@Res() reply: FastifyReply): void {
    const value = this.settings.enabledImportMethods;
    const methods = { description: 'The ways in which the service can fetch image data.', type: 'array', value };
    sendJson(reply, JSON.stringify({ 'import-methods': methods }));
  }

  @Get('stores')
  listStores(@Res() reply: FastifyReply): void {
    sendJson(reply, JSON.stringify({ stores: this.facts().map(shown) }));
  }

  @Get('stores/detail')
  async describeStores(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const facts = this.facts();
    await this.images.checkStoresDetail(request.caller);
    const stores = facts.map((each) => ({
      ...shown(each),
      type: each.type,
      weight: each.weight,
      properties: each.properties,
    }));
    sendJson(reply, JSON.stringify({ stores }));
  }

  @Get('usage')
  async usage(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    sendJson(reply, JSON.stringify({ usage: await this.images.usage(request.caller) }));
  }

  private facts(): readonly StoreFacts[] {
    // Glance: with a single store there is nothing to tell, not even of that one.
    if (!this.stores.named) throw new ServiceError('NotFound', 'This service has a single store, which has no name.');
    return this.stores.facts();
  }
}

/** Glance: texts, and only where they are true. Clients look whether they are there. */
function shown({ id, description, isDefault, readOnly }: StoreFacts): Readonly<Record<string, string>> {
  return {
    id,
    ...(description !== undefined && { description }),
    ...(isDefault && { default: 'true' }),
    ...(readOnly && { 'read-only': 'true' }),
  };
}
