import { Controller, Get, Inject, Post, Put, Req, Res } from '@nestjs/common';
import { type Images, ServiceError, type Tasks } from '@glance/domain';
import type { Stores } from '@glance/store';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiSettings } from '../config.js';
import { wantBody } from '../http/expect-continue.js';
import { jsonObject } from '../http/json-body.js';
import { requestBytes } from '../http/request-bytes.js';
import { sendJson } from '../http/send-json.js';
import type { Traffic } from '../http/traffic.js';
import type { LocationRenewal } from '../images/location-renewal.js';
import { tokenOf } from '../identity/token-of.js';
import type { Signatures } from '../signatures/signatures.js';
import { octetStream, uploadSize } from '../images/upload-headers.js';
import { imageTaskView } from '../tasks/task-view.js';
import { tokens } from '../tokens.js';
import type { UrlFilter } from './download/url-filter.js';
import type { ImportEngine } from './import-engine.js';
import { importRequest } from './import-request.js';
import type { StagingArea } from './staging-area.js';

type OneImage = FastifyRequest<{ Params: { id: string } }>;

@Controller('v2/images/:id')
export class ImportsController {
  constructor(
    @Inject(tokens.images) private readonly images: Images,
    @Inject(tokens.tasks) private readonly tasks: Tasks,
    @Inject(tokens.signatures) private readonly signatures: Signatures,
    @Inject(tokens.staging) private readonly staging: StagingArea,
    @Inject(tokens.engine) private readonly engine: ImportEngine,
    @Inject(tokens.stores) private readonly stores: Stores,
    @Inject(tokens.settings) private readonly settings: ApiSettings,
    @Inject(tokens.urlFilter) private readonly filter: UrlFilter,
    @Inject(tokens.traffic) private readonly traffic: Traffic,
    @Inject(tokens.locationRenewal) private readonly renewal: LocationRenewal,
  ) {}

  @Put('stage')
  async stage(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    const { raw, headers } = request;
    if (!this.settings.enabledImportMethods.includes('glance-direct')) {
      throw new ServiceError('NotFound', 'Staging is off: glance-direct is none of the enabled import methods.');
    }
    octetStream(headers);
    const gone = new AbortController();
    raw.once('close', () => {
      if (!raw.complete) gone.abort(new ServiceError('Cancelled', 'The client went away.'));
    });
    const staging = this.staging.stage(request.caller, request.params.id, {
      size: uploadSize(headers),
      signal: gone.signal,
      open: () => {
        wantBody(raw, reply.raw);
        return requestBytes(raw);
      },
    });
    await this.traffic.during(staging);
    reply.code(204).send();
  }

  @Post('import')
  async import(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    const body = await jsonObject(request, reply);
    const { stores, filter, settings } = this;
    const token = tokenOf(request);
    const offer = { stores, filter, enabled: settings.enabledImportMethods };
    const wanted = importRequest(body, { headers: request.headers, token }, offer);
    const { id } = request.params;
    const input = { image_id: id, ...wanted.input };
    if (wanted.method === 'copy-image') await this.renewal.renewSeen(request.caller, id);
    const image = wanted.method === 'copy-image' ? undefined : await this.images.show(request.caller, id);
    const certificate = image && (await this.signatures.certificateFor(image, token));
    await this.tasks.beginImport(request.caller, id, { ...wanted, input, ...(certificate && { certificate }) });
    this.engine.wake();
    reply.code(202).send();
  }

  @Get('tasks')
  async listTasks(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    const tasks = await this.tasks.ofImage(request.caller, request.params.id);
    sendJson(reply, JSON.stringify({ tasks: tasks.map(imageTaskView) }));
  }
}
