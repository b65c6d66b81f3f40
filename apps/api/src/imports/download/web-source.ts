import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { isServiceError, ServiceError } from '@glance/domain';
import { beginOfRest, type Bytes, responseBytes, type ServedData, servedData, type WebClient } from '@glance/store';
import type { Source, SourceData } from '../source.js';

export interface WebDownload {
  readonly url: string;
  /** Sent to the host of the URL only. */
  readonly headers?: OutgoingHttpHeaders;
  /** Whoever reads it knows its digest: the rest of it needs no other proof of being that. */
  readonly verified?: boolean;
}

export interface Perseverance {
  /** How often in a row a request may fail. */
  readonly retries: number;
  /** Milliseconds for all of it. */
  readonly deadline: number;
  /** Milliseconds before the first retry; each following waits twice as long, up to half a minute. */
  readonly pause: number;
}

/** Makes sources that have `perseverance`. */
export function webSources(client: WebClient, perseverance: Perseverance): (download: WebDownload) => Source {
  return (download) => new WebSource(client, download, perseverance);
}

/** Bytes that a connection must have brought before its break counts as the first. */
const progress = 1024 * 1024;
const longestPause = 30_000;
const passing: readonly (number | undefined)[] = [408, 425, 429, 500, 502, 503, 504];

/** Data that a web server has: fetched on from where it broke off, and either all of it or an error. */
class WebSource implements Source {
  private readonly host: string;

  constructor(
    private readonly client: WebClient,
    private readonly download: WebDownload,
    private readonly perseverance: Perseverance,
  ) {
    this.host = URL.parse(download.url)?.host ?? 'The server';
  }

  async open(signal: AbortSignal): Promise<SourceData> {
    const { deadline } = this.perseverance;
    const late = AbortSignal.timeout(deadline);
    const either = AbortSignal.any([signal, late]);
    const inTime = (error: unknown): unknown =>
      late.aborted && !signal.aborted ? this.failure(`the download took more than ${deadline / 1000} s.`) : error;
    try {
      const response = await this.ask({}, { failures: 0, signal: either });
      const served = servedData(response);
      if (!served.framed) {
        response.destroy();
        throw this.failure(
          'it says neither how long the data is nor where it ends, so that a part could pass for all.',
        );
      }
      return { size: served.size, data: this.all(response, served, either, inTime) };
    } catch (error) {
      throw inTime(error);
    }
  }

  private async *all(
    first: IncomingMessage,
    served: ServedData,
    signal: AbortSignal,
    inTime: (error: unknown) => unknown,
  ): Bytes {
    let response = first;
    let skip = 0;
    let offset = 0;
    let failures = 0;
    try {
      for (;;) {
        const begin = offset;
        let broken: unknown;
        try {
          for await (const chunk of responseBytes(response, this.client.patience)) {
            const rest = chunk.subarray(Math.min(skip, chunk.length));
            skip -= chunk.length - rest.length;
            offset += rest.length;
            if (rest.length > 0) yield rest;
          }
        } catch (error) {
          signal.throwIfAborted();
          broken = error;
        }
        if (served.size === undefined ? broken === undefined : offset >= served.size) return;
        failures = offset - begin >= progress ? 1 : failures + 1;
        if (failures > this.perseverance.retries) throw this.failure(this.endedAt(offset, served), broken);
        const more = await this.rest(offset, served, failures, signal);
        ({ response, skip } = more);
      }
    } catch (error) {
      throw inTime(error);
    }
  }

  private endedAt(offset: number, { size }: ServedData): string {
    return `the data ended after ${offset}${size === undefined ? '' : ` of ${size}`} bytes, again and again.`;
  }

  private async rest(
    offset: number,
    served: ServedData,
    failures: number,
    signal: AbortSignal,
  ): Promise<{ response: IncomingMessage; skip: number }> {
    const { validator } = served;
    if (validator === undefined && this.download.verified !== true) {
      throw this.failure(
        `the connection broke after ${offset} bytes, and the server does not say how to tell whether the rest belongs to them (ETag or Last-Modified).`,
      );
    }
    const condition = validator === undefined ? {} : { 'if-range': validator };
    const response = await this.ask({ range: `bytes=${offset}-`, ...condition }, { failures, signal });
    const begin = beginOfRest(response, served, offset);
    if (begin !== undefined) return { response, skip: offset - begin };
    response.destroy();
    throw this.failure(`the data has changed while it was downloaded.`);
  }

  /** Asks until there is an answer with data. */
  private async ask(
    headers: OutgoingHttpHeaders,
    { failures, signal }: { failures: number; signal: AbortSignal },
  ): Promise<IncomingMessage> {
    for (let failed = failures; ; failed += 1) {
      if (failed > 0) await delay(this.pauseBefore(failed), undefined, { signal });
      try {
        const { url, headers: own } = this.download;
        const response = await this.client.get(url, { ...own, ...headers }, signal);
        if (response.statusCode === 200 || ('range' in headers && response.statusCode === 206)) return response;
        response.destroy();
        const refused = this.failure(`it answered ${response.statusCode} (${response.statusMessage}).`);
        if (!passing.includes(response.statusCode)) throw refused;
        if (failed >= this.perseverance.retries) throw refused;
      } catch (error) {
        signal.throwIfAborted();
        if (isServiceError(error)) throw error;
        if (failed >= this.perseverance.retries) throw this.failure(`${(error as Error).message}.`, error);
      }
    }
  }

  private pauseBefore(failed: number): number {
    return Math.min(this.perseverance.pause * 2 ** (failed - 1), longestPause);
  }

  private failure(what: string, cause?: unknown): ServiceError {
    return new ServiceError('StoreUnavailable', `${this.host}: ${what}`, { step: 'download' }, { cause });
  }
}
