import { Controller, Delete, Get, Inject, Post, Req, Res } from '@nestjs/common';
import { type Images, ServiceError, type Tasks } from '@glance/domain';
import type { Stores } from '@glance/store';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiSettings } from '../config.js';
import type { BaseUrl } from '../http/base-url.js';
import { jsonObject } from '../http/json-body.js';
import { sendJson } from '../http/send-json.js';
import { type Formats, formatsOf } from '../images/attributes.js';
import { pageLinks } from '../images/image-query.js';
import { tokenOf } from '../identity/token-of.js';
import type { Signatures } from '../signatures/signatures.js';
import type { UrlFilter } from '../imports/download/url-filter.js';
import type { ImportEngine } from '../imports/import-engine.js';
import { tokens } from '../tokens.js';
import { importTask } from './import-task.js';
import { taskQuery } from './task-query.js';
import { taskStubView, taskView } from './task-view.js';

type OneTask = FastifyRequest<{ Params: { id: string } }>;

@Controller('v2/tasks')
export class TasksController {
  private readonly formats: Formats;

  constructor(
    @Inject(tokens.images) private readonly images: Images,
    @Inject(tokens.tasks) private readonly tasks: Tasks,
    @Inject(tokens.signatures) private readonly signatures: Signatures,
    @Inject(tokens.engine) private readonly engine: ImportEngine,
    @Inject(tokens.stores) private readonly stores: Stores,
    @Inject(tokens.settings) private readonly settings: ApiSettings,
    @Inject(tokens.urlFilter) private readonly filter: UrlFilter,
    @Inject(tokens.baseUrl) private readonly baseUrl: BaseUrl,
  ) {
    this.formats = formatsOf(settings);
  }

  @Post()
  async create(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const { caller } = request;
    await this.tasks.assertMayCreate(caller);
    const body = await jsonObject(request, reply);
    const { image, request: wanted } = importTask(body, this.stores, this.formats, this.filter);
    const { properties = {} } = image;
    const certificate = await this.signatures.certificateFor({ properties }, tokenOf(request));
    const { id } = await this.images.create(caller, image);
    const task = await this.tasks.beginImport(caller, id, { ...wanted, ...(certificate && { certificate }) });
    if (!task) throw new ServiceError('Internal', 'An import into a new image has something to do.');
    this.engine.wake();
    reply.header('location', `${this.baseUrl(request)}/v2/tasks/${task.id}`);
    sendJson(reply, JSON.stringify(taskView(task)), 201);
  }

  @Get()
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const parameters = request.query as URLSearchParams;
    const query = taskQuery(parameters, { default: this.settings.limitParamDefault, max: this.settings.apiLimitMax });
    const tasks = await this.tasks.list(request.caller, query);
    const last = tasks.length === query.limit ? tasks.at(-1)?.id : undefined;
    const { first, next } = pageLinks(parameters, last, '/v2/tasks');
    sendJson(reply, JSON.stringify({ tasks: tasks.map(taskStubView), first, schema: '/v2/schemas/tasks', next }));
  }

  @Get(':id')
  async show(@Req() request: OneTask, @Res() reply: FastifyReply): Promise<void> {
    sendJson(reply, JSON.stringify(taskView(await this.tasks.show(request.caller, request.params.id))));
  }

  @Delete(':id')
  async cancel(@Req() request: OneTask, @Res() reply: FastifyReply): Promise<void> {
    await this.tasks.cancel(request.caller, request.params.id);
    this.engine.wake();
    reply.code(204).send();
  }
}
