import { Controller, Get, Inject, Req, Res } from '@nestjs/common';
import type { ScrubberRun, Scrubbing } from '@glance/domain';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiSettings } from '../config.js';
import { nextLink, pageOf } from '../http/page-of.js';
import { sendJson } from '../http/send-json.js';
import { tokens } from '../tokens.js';

/** Ours, not Glance's: what scrubbers did, and what waits for them; for administrators. */
@Controller('v2/scrubber/runs')
export class ScrubberRunsController {
  constructor(
    @Inject(tokens.scrubbing) private readonly scrubbing: Scrubbing,
    @Inject(tokens.settings) private readonly settings: ApiSettings,
  ) {}

  @Get()
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const page = pageOf(request.query as URLSearchParams, this.settings);
    const { runs, backlog } = await this.scrubbing.runs(request.caller, page);
    const next = nextLink('/v2/scrubber/runs', page, runs);
    sendJson(reply, JSON.stringify({ runs: runs.map(view), backlog, ...next }));
  }
}

const view = ({ id, kind, host, startedAt, finishedAt, outcomes, bytes, errors }: ScrubberRun): object => ({
  id,
  kind,
  host,
  started_at: startedAt,
  finished_at: finishedAt,
  outcomes,
  bytes,
  errors,
});
