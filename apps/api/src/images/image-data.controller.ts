import type { OutgoingHttpHeaders } from 'node:http';
import { Controller, Get, Head, Inject, Put, Req, Res } from '@nestjs/common';
import { type Download, type Image, type Images, isServiceError, ServiceError } from '@glance/domain';
import type { ImageCache, Stores } from '@glance/store';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ByteRange, byteRange } from '../http/byte-range.js';
import { wantBody } from '../http/expect-continue.js';
import { requestBytes } from '../http/request-bytes.js';
import { sendBytes } from '../http/send-bytes.js';
import type { Traffic } from '../http/traffic.js';
import { tokenOf } from '../identity/token-of.js';
import { tokens } from '../tokens.js';
import type { ImageData } from './image-data.js';
import type { LocationRenewal } from './location-renewal.js';
import { octetStream, preferredStores, uploadSize, uploadStore } from './upload-headers.js';

type OneImage = FastifyRequest<{ Params: { id: string } }>;

@Controller('v2/images/:id/file')
export class ImageDataController {
  constructor(
    @Inject(tokens.images) private readonly images: Images,
    @Inject(tokens.imageData) private readonly data: ImageData,
    @Inject(tokens.stores) private readonly stores: Stores,
    @Inject(tokens.traffic) private readonly traffic: Traffic,
    @Inject(tokens.locationRenewal) private readonly renewal: LocationRenewal,
    @Inject(tokens.downloads) private readonly cache: ImageCache | undefined,
  ) {}

  @Put()
  async upload(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    const { raw, headers } = request;
    octetStream(headers);
    const gone = new AbortController();
    raw.once('close', () => {
      if (!raw.complete) gone.abort(new ServiceError('Cancelled', 'The client went away.'));
    });
    const upload = this.data.upload(request.caller, request.params.id, {
      store: uploadStore(headers, this.stores),
      size: uploadSize(headers),
      token: tokenOf(request),
      signal: gone.signal,
      open: () => {
        wantBody(raw, reply.raw);
        return requestBytes(raw);
      },
    });
    await this.traffic.during(upload);
    reply.code(204).send();
  }

  @Get()
  download(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    return this.answer(request, reply);
  }

  @Head()
  describe(@Req() request: OneImage, @Res() reply: FastifyReply): Promise<void> {
    return this.answer(request, reply);
  }

  private async answer(request: OneImage, reply: FastifyReply): Promise<void> {
    const prefer = preferredStores(request.query as URLSearchParams, this.stores);
    const { id } = request.params;
    const download = await this.images.beginDownload(request.caller, id, prefer && { prefers: true });
    const { image, locations } = download;
    void this.traffic.during(this.renewal.renew(id, locations));
    const etag = etagOf(image);
    if (locations.length === 0) reply.code(204).send();
    else if (etag !== undefined && matches(request.headers['if-none-match'], etag)) {
      reply.code(304).header('etag', etag).send();
    } else await this.send(request, reply, download, { etag, prefer });
  }

  private async send(
    request: OneImage,
    reply: FastifyReply,
    { image, locations, report }: Download,
    { etag, prefer = [] }: { etag: string | undefined; prefer: readonly string[] | undefined },
  ): Promise<void> {
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    const { signal } = gone;
    const current = this.renewal.ordered(locations);
    const open = (part: Partial<ByteRange>, within = signal) =>
      this.stores.openRead(current, { ...part, prefer, signal: within });
    let opened;
    try {
      const size = image.size ?? (await open({ offset: 0 })).size;
      const range = byteRange(request.headers, size, etag);
      const fill = request.method === 'GET' && range === undefined;
      const data = this.cache
        ? await this.cache.read({ image, ...range, fill, signal, fetch: open })
        : (await open({ offset: 0, ...range })).data;
      opened = { size, range, data };
    } catch (error) {
      if (isServiceError(error, 'BadLocation')) {
        throw new ServiceError('StoreUnavailable', 'The store of this image is not configured any more.');
      }
      // Glance: an image whose data is missing is an image without data.
      if (!isServiceError(error, 'DataNotFound')) throw error;
      reply.code(204).send();
      return;
    }
    const { size, range, data } = opened;
    const length = range?.length ?? size;
    reply.headers({
      'content-type': 'application/octet-stream',
      'content-length': length,
      'accept-ranges': 'bytes',
      // Glance: hex instead of base64, and of the whole image even with a part of it.
      ...(image.checksum !== null && { 'content-md5': image.checksum }),
      ...(etag !== undefined && { etag }),
      ...(range && { 'content-range': `bytes ${range.offset}-${range.offset + length - 1}/${size}` }),
    });
    reply.hijack();
    reply.raw.writeHead(range ? 206 : 200, reply.getHeaders() as OutgoingHttpHeaders);
    if (request.method === 'HEAD') reply.raw.end();
    else {
      await sendBytes(reply.raw, data, length, (bytes) => {
        // The client does not wait for it, a stop does.
        if (report) void this.traffic.during(this.data.tellSent(request.caller, image.id, { bytes, of: length }));
      });
    }
  }
}

function etagOf({ osHashValue, checksum }: Image): string | undefined {
  const value = osHashValue ?? checksum;
  return value === null ? undefined : `"${value}"`;
}

/** Whether `If-None-Match` names the data: weak and strong tags are alike there. */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((tag) => ['*', etag].includes(tag.trim().replace(/^W\//, '')));
}
