import { Controller, Delete, Get, Inject, Patch, Post, Req, Res } from '@nestjs/common';
import type { Image, Images } from '@glance/domain';
import type { Stores } from '@glance/store';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { CachedImages } from '../cache/cached-images.js';
import type { ApiSettings } from '../config.js';
import type { BaseUrl } from '../http/base-url.js';
import { jsonBody, jsonObject } from '../http/json-body.js';
import { sendJson } from '../http/send-json.js';
import type { Traffic } from '../http/traffic.js';
import { tokens } from '../tokens.js';
import { type Formats, formatsOf } from './attributes.js';
import type { ImageLocations } from './image-locations.js';
import type { ImageData } from './image-data.js';
import type { ImageSharing } from './image-sharing.js';
import { imageChanges, type PatchStep, patchDialect, patchDialects } from './image-patch.js';
import { imageQuery, pageLinks } from './image-query.js';
import type { ShownImage } from './image-view.js';
import type { LocationRenewal } from './location-renewal.js';
import { newImage } from './new-image.js';

type OneImage = FastifyRequest<{ Params: { id: string } }>;

@Controller('v2/images')
export class ImagesController {
  private readonly formats: Formats;

  constructor(
    @Inject(tokens.images) private readonly images: Images,
    @Inject(tokens.imageData) private readonly data: ImageData,
    @Inject(tokens.imageLocations) private readonly locations: ImageLocations,
    @Inject(tokens.imageView) private readonly view: (image: Image) => ShownImage,
    @Inject(tokens.settings) private readonly settings: ApiSettings,
    @Inject(tokens.traffic) private readonly traffic: Traffic,
    @Inject(tokens.baseUrl) private readonly baseUrl: BaseUrl,
    @Inject(tokens.stores) private readonly stores: Stores,
    @Inject(tokens.sharing) private readonly sharing: ImageSharing,
    @Inject(tokens.locationRenewal) private readonly renewal: LocationRenewal,
    @Inject(tokens.cachedImages) private readonly cached: CachedImages | undefined,
  ) {
    this.formats = formatsOf(settings);
  }

  @Post()
  async create(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const asked = newImage(await jsonObject(request, reply), this.formats);
    const image = await this.images.create(request.caller, asked);
    reply.header('location', `${this.baseUrl(request)}/v2/images/${image.id}`);
    const methods = this.settings.enabledImportMethods;
    if (methods.length > 0) reply.header('openstack-image-import-methods', methods.join(','));
    if (this.stores.named) reply.header('openstack-image-store-ids', this.stores.ids.join(','));
    sendJson(reply, JSON.stringify(this.view(image)), 201);
  }

  @Get()
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const parameters = request.query as URLSearchParams;
    const query = imageQuery(parameters, { default: this.settings.limitParamDefault, max: this.settings.apiLimitMax });
    const { images } = await this.images.list(request.caller, query);
    const last = images.length === query.limit ? images.at(-1)?.id : undefined;
    const { first, next } = pageLinks(parameters, last);
    const page = { images: images.map(this.view), first, schema: '/v2/schemas/images', next };
    sendJson(reply, JSON.stringify(page));
  }

  @Get(':id')
  async show(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    const image = await this.images.show(request.caller, request.params.id);
    sendJson(reply, JSON.stringify(this.view(image)));
    void this.traffic.during(this.renewal.renew(image.id, image.locations));
  }

  @Patch(':id')
  async update(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    reply.header('accept-patch', Object.keys(patchDialects).join(', '));
    const dialect = patchDialect(request.headers['content-type']);
    const rules = {
      ...this.formats,
      locations: this.settings.showMultipleLocations ? this.settings.hashingAlgorithm : null,
    };
    const steps = imageChanges(await jsonBody(request, reply), dialect, rules);
    const updating = this.locations.update(request.caller, request.params.id, steps);
    const image = await this.traffic.during(updating);
    if (steps.some(changesSight)) await this.sharing.changed(request.caller, request.params.id);
    reply.removeHeader('accept-patch');
    sendJson(reply, JSON.stringify(this.view(image)));
  }

  @Delete(':id')
  async remove(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    await this.traffic.during(this.data.remove(request.caller, request.params.id));
    await this.cached?.gone(request.params.id);
    reply.code(204).send();
  }
}

/** Whether a step changes who may see an image, or where it lies. */
function changesSight(step: PatchStep): boolean {
  return step.kind === 'locations' || (step.kind === 'attribute' && step.set.visibility !== undefined);
}
