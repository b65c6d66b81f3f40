import { connect } from 'node:net';

export interface MonitorAddress {
  readonly host: string;
  readonly port: number;
}

/** What a client tries where an address has no port: that of the messenger's version 2, and that of version 1. */
const ports = { v2: 3300, v1: 6789 } as const;

/**
 * The addresses in the `mon host` of a ceph.conf, each with the ports that a client tries there: names and addresses
 * between commas, spaces or semicolons, with or without a port; or `[v2:…,v1:…]` for the two of one monitor. IPv6
 * addresses are in brackets. Source: Ceph's documentation of its messenger, version 2.
 */
export function monitorsIn(conf: string): MonitorAddress[][] {
  const [, value = ''] = /^[ \t]*mon[ _-]host[ \t]*=[ \t]*(.*?)[ \t]*(?:[#;].*)?$/m.exec(conf) ?? [];
  const flat = value.replaceAll(/\[(v[12]:(?:\[[^\]]*\]|[^[\]])*)\]/g, '$1');
  return flat.split(/[\s,;]+/).flatMap((text) => {
    const [, version, bracketed, plain, port] =
      /^(?:(v[12]):)?(?:\[([^\]]+)\]|([^:/[\]]+))(?::(\d+))?(?:\/\d+)?$/.exec(text) ?? [];
    const host = bracketed ?? plain;
    if (host === undefined) return [];
    if (port !== undefined) return [[{ host, port: Number(port) }]];
    return [
      (version ? [ports[version as keyof typeof ports]] : Object.values(ports)).map((each) => ({ host, port: each })),
    ];
  });
}

/** Whether something listens there, within three seconds. */
export async function answers({ host, port }: MonitorAddress): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port });
  socket.setTimeout(3000, () => resolve(false));
  socket.once('connect', () => resolve(true));
  socket.once('error', () => resolve(false));
  return promise.finally(() => socket.destroy());
}
