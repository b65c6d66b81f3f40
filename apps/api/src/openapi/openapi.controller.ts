import { Controller, Get, Inject, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { ApiSettings } from '../config.js';
import { sendJson } from '../http/send-json.js';
import { formatsOf } from '../images/attributes.js';
import { tokens } from '../tokens.js';
import { openApiDocument } from './openapi-document.js';

@Controller('v2/openapi.json')
export class OpenApiController {
  private readonly text: string;

  constructor(@Inject(tokens.settings) settings: ApiSettings) {
    this.text = JSON.stringify(openApiDocument(formatsOf(settings)));
  }

  @Get()
  show(@Res() reply: FastifyReply): void {
    sendJson(reply, this.text);
  }
}
