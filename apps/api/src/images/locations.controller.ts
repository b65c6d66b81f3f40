import { Controller, Delete, Get, Inject, Post, Req, Res } from '@nestjs/common';
import { type Images, ServiceError, type Tasks } from '@glance/domain';
import type { Stores } from '@glance/store';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiSettings } from '../config.js';
import { jsonObject } from '../http/json-body.js';
import { sendJson } from '../http/send-json.js';
import type { Traffic } from '../http/traffic.js';
import type { ImportEngine } from '../imports/import-engine.js';
import { withoutPassword } from '../imports/import-request.js';
import { tokens } from '../tokens.js';
import type { ImageData } from './image-data.js';
import type { LocationRenewal } from './location-renewal.js';
import { addedDigests, locationUrl } from './new-location.js';

type OneImage = FastifyRequest<{ Params: { id: string } }>;
type OneCopy = FastifyRequest<{ Params: { id: string; store: string } }>;

const longestUrl = 65_535;

@Controller('v2')
export class LocationsController {
  constructor(
    @Inject(tokens.images) private readonly images: Images,
    @Inject(tokens.tasks) private readonly tasks: Tasks,
    @Inject(tokens.engine) private readonly engine: ImportEngine,
    @Inject(tokens.stores) private readonly stores: Stores,
    @Inject(tokens.imageData) private readonly data: ImageData,
    @Inject(tokens.settings) private readonly settings: ApiSettings,
    @Inject(tokens.traffic) private readonly traffic: Traffic,
    @Inject(tokens.locationRenewal) private readonly renewal: LocationRenewal,
  ) {}

  @Get('images/:id/locations')
  async list(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    const { id } = request.params;
    const locations = await this.images.locations(request.caller, id);
    sendJson(reply, JSON.stringify(this.renewal.ordered(locations)));
    void this.traffic.during(this.renewal.renew(id, locations));
  }

  @Post('images/:id/locations')
  async add(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    const body = await jsonObject(request, reply);
    const { id } = request.params;
    const url = locationUrl(body['url'], longestUrl);
    const digests = addedDigests(body['validation_data']);
    const store = this.stores.accepting(url) ?? null;
    const metadata = this.stores.named && store !== null ? { store } : {};
    await this.tasks.beginLocation(request.caller, id, {
      location: { url, metadata },
      store,
      ...(digests && { digests }),
      hash: this.settings.doSecureHash,
      input: { image_id: id, loc_url: withoutPassword(url), validation_data: body['validation_data'] ?? {} },
    });
    this.engine.wake();
    reply.code(202).send();
  }

  /** One of several copies goes. */
  @Delete('stores/:store/:id')
  async remove(@Req() request: OneCopy, @Res() reply: FastifyReply): Promise<void> {
    const { id, store } = request.params;
    if (!this.stores.named) throw new ServiceError('NotFound', 'This service has a single store, which has no name.');
    if (!this.stores.ids.includes(store)) {
      throw new ServiceError('Conflict', `There is no store "${store}"; there is ${this.stores.ids.join(', ')}.`);
    }
    await this.renewal.renewSeen(request.caller, id);
    await this.traffic.during(this.data.removeLocation(request.caller, id, store));
    reply.code(204).send();
  }
}
