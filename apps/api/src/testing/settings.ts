import type { ApiSettings } from '../config.js';

/** Settings of an api that listens on a free port of this machine. */
export function testSettings(changes: Partial<ApiSettings> = {}): ApiSettings {
  return {
    bindHost: '127.0.0.1',
    bindPort: 0,
    backlog: 128,
    httpKeepalive: true,
    clientSocketTimeout: 900,
    maxHeaderLine: 16384,
    publicEndpoint: undefined,
    maxRequestIdLength: 64,
    allowAnonymousAccess: false,
    limitParamDefault: 25,
    apiLimitMax: 1000,
    hashingAlgorithm: 'sha512',
    doSecureHash: true,
    httpRetries: 3,
    showImageDirectUrl: false,
    showMultipleLocations: false,
    enabledImportMethods: ['glance-direct', 'web-download', 'copy-image'],
    workerSelfReferenceUrl: undefined,
    taskPoolThreads: 16,
    imageCacheDir: undefined,
    shutdownNotice: 0,
    shutdownGrace: 60,
    containerFormats: ['ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker', 'compressed'],
    diskFormats: ['ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'iso', 'ploop'],
    requireImageFormatMatch: true,
    gptSafetyChecksNonfatal: [],
    enableProxyHeadersParsing: false,
    flavor: undefined,
    disableByFilePath: '/nonexistent/healthcheck_disable',
    ...changes,
  };
}
