import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { fastify, type FastifyInstance, type FastifyRequest } from 'fastify';
import { ApiModule, type ApiParts } from './api.module.js';
import { CachedImages } from './cache/cached-images.js';
import type { ApiSettings } from './config.js';
import { versionDocument, versionSegments } from './discovery/versions.js';
import { baseUrl } from './http/base-url.js';
import { ErrorFilter } from './http/error-filter.js';
import { cors } from './http/cors.js';
import { everyRequest } from './http/every-request.js';
import { deferContinue } from './http/expect-continue.js';
import { malformedRequest } from './http/malformed-request.js';
import { requestId } from './http/request-id.js';
import { Routes } from './http/routes.js';
import { Traffic } from './http/traffic.js';
import { identityOf } from './identity/identity-of.js';
import type { Identity } from './identity/identity.js';
import { type Imports, startImports } from './imports/start-imports.js';
import { certificatesOf } from './signatures/certificates.js';
import { Signatures } from './signatures/signatures.js';
import { versionRewrite } from './http/version-rewrite.js';

export interface RunningApi {
  /** Where it listens: `http://127.0.0.1:9292`. */
  readonly url: string;
  /** From now on the health check answers 503 and connections end with their answer; requests are served. */
  announceStop(): void;
  /**
   * Turns new requests away (503, also to the health check) and waits for what is under way. Resolves with true when
   * everything has ended, with false when `graceMs` is over before.
   */
  drain(graceMs: number): Promise<boolean>;
  /** Stops listening and breaks what is still under way; uploads undo themselves before this resolves. */
  close(): Promise<void>;
}

/** Milliseconds that broken uploads have to undo themselves. */
const undoTime = 10_000;

/** Serves the image API. Fails if the address is taken. */
export async function startApi(settings: ApiSettings, parts: ApiParts): Promise<RunningApi> {
  const features = { cache: settings.imageCacheDir !== undefined, severalStores: parts.stores.named };
  const urlOf = baseUrl(settings.enableProxyHeadersParsing);
  const endpoint = settings.publicEndpoint?.replace(/\/+$/, '');
  const versions = (request: FastifyRequest): string => versionDocument(features, endpoint ?? urlOf(request));
  const routes = new Routes();
  const identity = parts.identity ?? identityOf(settings, parts.logger);
  const errors = new ErrorFilter(parts.logger, { routes, versions }, identity.challenge);
  const traffic = new Traffic();

  const instance = createServer(settings, errors, versionSegments(features));
  routes.watch(instance);
  everyRequest(instance, {
    identity,
    traffic,
    logger: parts.logger,
    maxRequestIdLength: settings.maxRequestIdLength,
    cors: cors(settings.cors),
    keepAlive: settings.httpKeepalive,
  });
  deferContinue(instance.server);

  const signatures = new Signatures(certificatesOf(settings.keyManager, settings.keystone), parts.logger);
  const imports = startImports(settings, parts, { traffic, signatures });
  const { images: cache, ...others } = parts.cache ?? {};
  const cached = cache && new CachedImages({ ...parts, cache, node: null, tell: async () => undefined, ...others });
  const app = await NestFactory.create<NestFastifyApplication>(
    ApiModule.with(settings, parts, { traffic, imports, cached, signatures, errors, baseUrl: urlOf, versions }),
    new FastifyAdapter(instance),
    { bodyParser: false, logger: false, abortOnError: false },
  );
  await app.init();
  await instance.ready();
  const address = { host: settings.bindHost, port: settings.bindPort, backlog: settings.backlog };
  const url = await instance.listen(address).catch(async (error: unknown) => {
    await imports.engine.close();
    await cached?.close();
    await app.close();
    throw error;
  });
  return { url, ...stopping(app, instance, { traffic, imports, cached, identity }) };
}

function createServer(settings: ApiSettings, errors: ErrorFilter, segments: ReadonlySet<string>): FastifyInstance {
  const instance = fastify({
    genReqId: requestId,
    rewriteUrl: versionRewrite(segments),
    clientErrorHandler: malformedRequest,
    // A URL that cannot be decoded, or has an endless segment: the router itself refuses it, before any hook.
    frameworkErrors: (error, request, reply) => {
      reply.header('x-openstack-request-id', request.id);
      errors.answer(error, request, reply);
    },
    connectionTimeout: settings.clientSocketTimeout * 1000,
    keepAliveTimeout: settings.clientSocketTimeout * 1000,
    http: { maxHeaderSize: settings.maxHeaderLine },
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    return503OnClosing: false,
    routerOptions: {
      maxParamLength: settings.maxHeaderLine,
      querystringParser: (text) => new URLSearchParams(text) as never,
    },
  });
  // Handlers read bodies themselves: uploads must not be gathered, and JSON is JSON whatever its Content-Type says.
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    instance.addHttpMethod(method, { hasBody: false, overrideExisting: true });
  }
  return instance;
}

function stopping(
  app: NestFastifyApplication,
  { server }: FastifyInstance,
  {
    traffic,
    imports,
    cached,
    identity,
  }: { traffic: Traffic; imports: Imports; cached: CachedImages | undefined; identity: Identity },
): Omit<RunningApi, 'url'> {
  return {
    announceStop: () => traffic.leave(),
    drain(graceMs) {
      server.closeIdleConnections();
      return traffic.drain(graceMs);
    },
    async close() {
      server.closeAllConnections();
      await imports.engine.close();
      await traffic.drain(undoTime);
      await cached?.close();
      await app.close();
      identity.close?.();
    },
  };
}
