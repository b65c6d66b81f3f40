import { access } from 'node:fs/promises';
import { Controller, Get, Head, Inject, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import type { ApiSettings } from '../config.js';
import { tokens } from '../tokens.js';

/** Says whether this process wants requests. Asks nobody else: the database and the stores have their own watchers. */
@Controller('healthcheck')
export class HealthController {
  constructor(@Inject(tokens.settings) private readonly settings: ApiSettings) {}

  @Get()
  async show(@Res() reply: FastifyReply): Promise<void> {
    const enabled = await this.enabled();
    reply.code(enabled ? 200 : 503).header('content-type', 'text/plain; charset=UTF-8');
    reply.send(enabled ? 'OK' : 'DISABLED BY FILE');
  }

  // Glance: a health check by HEAD is answered 204.
  @Head()
  async ask(@Res() reply: FastifyReply): Promise<void> {
    reply.code((await this.enabled()) ? 204 : 503).send();
  }

  @Post()
  post(@Res() reply: FastifyReply): Promise<void> {
    return this.show(reply);
  }

  /** An operator takes this process out of rotation by creating a file. */
  private async enabled(): Promise<boolean> {
    return access(this.settings.disableByFilePath).then(
      () => false,
      () => true,
    );
  }
}
