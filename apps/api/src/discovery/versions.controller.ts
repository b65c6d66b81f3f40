import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendJson } from '../http/send-json.js';
import { tokens } from '../tokens.js';

@Controller()
export class VersionsController {
  constructor(@Inject(tokens.versions) private readonly versions: (request: FastifyRequest) => string) {}

  // Glance: 300, as if there were several to choose from; glanceclient therefore asks for /versions.
  @Get()
  choices(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    sendJson(reply, this.versions(request), 300);
  }

  @Get('versions')
  list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    sendJson(reply, this.versions(request));
  }
}
