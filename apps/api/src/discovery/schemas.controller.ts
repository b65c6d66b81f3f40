import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import { ServiceError } from '@glance/domain';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiSettings } from '../config.js';
import { sendJson } from '../http/send-json.js';
import { formatsOf } from '../images/attributes.js';
import { tokens } from '../tokens.js';
import { imageSchema } from './schemas/image.js';
import { collection, type JsonSchema } from './schemas/json-schema.js';
import { memberSchema } from './schemas/member.js';
import { metadefSchemas } from './schemas/metadefs.js';
import { taskSchema } from './schemas/task.js';

@Controller('v2/schemas')
export class SchemasController {
  private readonly documents: ReadonlyMap<string, string>;
  private readonly metadefs = asText(metadefSchemas);

  constructor(@Inject(tokens.settings) settings: ApiSettings) {
    const image = imageSchema(formatsOf(settings));
    this.documents = asText({
      image,
      images: collection('images', 'images', image),
      member: memberSchema,
      members: collection('members', 'members', memberSchema, false),
      task: taskSchema,
      tasks: collection('tasks', 'tasks', taskSchema),
    });
  }

  @Get(':name')
  show(@Req() request: FastifyRequest<{ Params: { name: string } }>, @Res() reply: FastifyReply): void {
    sendJson(reply, known(this.documents, request.params.name));
  }

  @Get('metadefs/:name')
  showMetadef(@Req() request: FastifyRequest<{ Params: { name: string } }>, @Res() reply: FastifyReply): void {
    sendJson(reply, known(this.metadefs, request.params.name));
  }
}

function asText(schemas: Readonly<Record<string, JsonSchema>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(schemas).map(([name, schema]) => [name, JSON.stringify(schema)]));
}

function known(documents: ReadonlyMap<string, string>, name: string): string {
  const text = documents.get(name);
  if (text === undefined) throw new ServiceError('NotFound', `There is no schema "${name}".`);
  return text;
}
