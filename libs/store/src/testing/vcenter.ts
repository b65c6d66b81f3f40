import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer, text } from 'node:stream/consumers';
import { type Answered, soapAnswer } from '../drivers/vmware/soap.js';
import { serve, type WebServer, webServer } from './web-server.js';

/** The user of the stand-in. */
export const vcenterUser = { name: 'glance@vsphere.local', password: 'se<cret&' };

/** A file, or a directory where there are no bytes. */
interface Node {
  readonly bytes?: Buffer;
  readonly modified: Date;
}

/**
 * Stands in for a vCenter Server, as far as a store of images needs one: a datacenter `Europe/DC1` with datastores `fast`
 * and `slow`, kept in memory. Written from VMware's documentation: "vSphere Web Services API" (SessionManager, SearchIndex,
 * PropertyCollector, FileManager, HostDatastoreBrowser, Task) and "HTTP Access to vSphere Server Files" of its programming
 * guide. It speaks plain HTTP: TLS is a proxy's.
 */
export class Vcenter {
  /** By `[datastore] path`. */
  readonly nodes = new Map<string, Node>();
  readonly free: Record<string, number> = { fast: 1e12, slow: 2e12 };
  /** Log-ins so far. */
  logins = 0;
  /** Whether files can be read in parts. */
  ranges = true;
  readonly #sessions = new Set<string>();
  readonly #tasks = new Map<string, string>();
  #server: WebServer | undefined;

  async start(): Promise<void> {
    this.#server = await webServer((request, response) => {
      const answering = request.url === '/sdk' ? this.#soap(request, response) : this.#file(request, response);
      answering.catch(() => response.destroy());
    });
  }

  get url(): string {
    return this.#server!.url;
  }

  /** As if the server had been restarted, or nobody had asked for half an hour. */
  endSessions(): void {
    this.#sessions.clear();
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }

  async #file(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, this.url);
    const name = `[${url.searchParams.get('dsName')}] ${decodeURIComponent(url.pathname).replace('/folder/', '')}`;
    const known = this.#sessions.has(request.headers.cookie ?? '') && url.searchParams.get('dcPath') === 'Europe/DC1';
    const status = (code: number): unknown => request.resume().on('end', () => response.writeHead(code).end());
    if (!known) status(401);
    else if (request.method === 'PUT') {
      if (!this.nodes.has(parentOf(name))) {
        status(404);
        return;
      }
      // The file is there at once, and stays when the connection breaks.
      this.nodes.set(name, { bytes: Buffer.alloc(0), modified: new Date() });
      const bytes = await buffer(request);
      if (this.nodes.has(name)) this.nodes.set(name, { bytes, modified: new Date() });
      response.writeHead(201).end();
    } else {
      const { bytes } = this.nodes.get(name) ?? {};
      if (bytes) serve(bytes, request, response, { whole: !this.ranges });
      else status(404);
    }
  }

  async #soap(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = soapAnswer(await text(request));
    const open = ['RetrieveServiceContent', 'Login'].includes(call.name);
    if (!open && !this.#sessions.has(request.headers.cookie ?? '')) {
      fault(response, 'NotAuthenticated');
      return;
    }
    const values = this.#answer(call, request, response);
    if (typeof values === 'string') fault(response, values);
    else answer(response, call.name, values.map((value) => `<returnval ${value}</returnval>`).join(''));
  }

  /** What a method returns, each without the beginning of its tag; or the name of a fault. */
  #answer(call: Answered, request: IncomingMessage, response: ServerResponse): string[] | string {
    switch (call.name) {
      case 'RetrieveServiceContent':
        return [`>${['SessionManager', 'SearchIndex', 'PropertyCollector', 'FileManager'].map(managed).join('')}`];
      case 'Login': {
        const { name, password } = vcenterUser;
        if (call.at('userName')?.text !== name || call.at('password')?.text !== password) return 'InvalidLogin';
        const cookie = `vmware_soap_session="${randomUUID()}"`;
        this.#sessions.add(cookie);
        this.logins++;
        response.setHeader('set-cookie', `${cookie}; Path=/; HttpOnly; Secure;`);
        return ['><userName>glance</userName>'];
      }
      case 'Logout':
        this.#sessions.delete(request.headers.cookie ?? '');
        return [];
      case 'FindByInventoryPath':
        return call.at('inventoryPath')?.text === 'Europe/DC1' ? ['type="Datacenter">datacenter-2'] : [];
      case 'RetrievePropertiesEx':
        return [`>${(call.at('specSet')?.all('objectSet') ?? []).map((each) => this.#object(each)).join('')}`];
      case 'MakeDirectory': {
        const name = nameOf(call, 'name');
        if (this.nodes.has(name)) return call.at('createParentDirectories')?.text === 'true' ? [] : 'FileAlreadyExists';
        if (call.at('createParentDirectories')?.text !== 'true' && !this.nodes.has(parentOf(name)))
          return 'FileNotFound';
        this.nodes.set(name, { modified: new Date() });
        return [];
      }
      case 'MoveDatastoreFile_Task':
        return this.#task(() => this.#move(nameOf(call, 'sourceName'), nameOf(call, 'destinationName')));
      case 'DeleteDatastoreFile_Task':
        return this.#task(() => this.#remove(nameOf(call, 'name')));
      case 'SearchDatastore_Task':
        return this.#task(() => this.#search(nameOf(call, 'datastorePath'), call));
      default:
        return 'MethodNotFound';
    }
  }

  /** Takes effect at once, and is told by the second look. */
  #task(work: () => string): string[] {
    const id = `task-${this.#tasks.size + 1}`;
    this.#tasks.set(id, '<state>running</state>');
    const outcome = work();
    setImmediate(() => this.#tasks.set(id, outcome));
    return [`type="Task">${id}`];
  }

  #move(from: string, to: string): string {
    const node = this.nodes.get(from);
    if (this.nodes.has(to)) return failed('FileAlreadyExists');
    if (!node) return failed('FileNotFound');
    this.nodes.delete(from);
    this.nodes.set(to, node);
    return '<state>success</state>';
  }

  #remove(name: string): string {
    if (!this.nodes.delete(name)) return failed('FileNotFound');
    for (const each of this.nodes.keys()) if (each.startsWith(`${name}/`)) this.nodes.delete(each);
    return '<state>success</state>';
  }

  #search(directory: string, call: Answered): string {
    if (!this.nodes.has(directory)) return failed('FileNotFound');
    const patterns = (call.at('searchSpec')?.all('matchPattern') ?? []).map(
      ({ text: pattern }) => new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`),
    );
    const files = [...this.nodes].flatMap(([name, { bytes, modified }]) => {
      const path = name.slice(directory.length + 1);
      if (parentOf(name) !== directory || !patterns.some((pattern) => pattern.test(path))) return [];
      const size = `<fileSize>${bytes?.length ?? 0}</fileSize><modification>${modified.toISOString()}</modification>`;
      return [`<file xsi:type="${bytes ? 'FileInfo' : 'FolderFileInfo'}"><path>${path}</path>${size}</file>`];
    });
    return `<state>success</state><result xsi:type="HostDatastoreBrowserSearchResults">${files.join('')}</result>`;
  }

  #object(spec: Answered): string {
    const { type, value } = spec.at('obj')!.reference;
    const property = (name: string, inner: string): string =>
      `<propSet><name>${name}</name><val xsi:type="x">${inner}</val></propSet>`;
    const datastore = value.replace('datastore-', '');
    const facts: Readonly<Record<string, () => string>> = {
      Task: () => property('info', this.#tasks.get(value)!),
      Datacenter: () =>
        property(
          'datastore',
          ['slow', 'fast']
            .map((name) => `<ManagedObjectReference type="Datastore">datastore-${name}</ManagedObjectReference>`)
            .join(''),
        ),
      Datastore: () =>
        property('summary.name', datastore) +
        `<propSet><name>browser</name><val type="HostDatastoreBrowser" xsi:type="ManagedObjectReference">` +
        `browser-${datastore}</val></propSet>` +
        property(
          'summary',
          `<name>${datastore}</name><capacity>3000000000000</capacity>` +
            `<freeSpace>${this.free[datastore]}</freeSpace><accessible>true</accessible>`,
        ),
    };
    return `<objects><obj type="${type}">${value}</obj>${facts[type]!()}</objects>`;
  }
}

const managed = (type: string): string => {
  const name = type[0]!.toLowerCase() + type.slice(1);
  return `<${name} type="${type}">${type}</${name}>`;
};

const parentOf = (name: string): string => name.replace(/\/[^/]*$/, '');

const nameOf = (call: Answered, parameter: string): string => call.at(parameter)?.text ?? '';

const failed = (type: string): string =>
  `<state>error</state><error><fault xsi:type="${type}"></fault><localizedMessage>${type}</localizedMessage></error>`;

function answer(response: ServerResponse, method: string, values: string): void {
  envelope(response, 200, `<${method}Response xmlns="urn:vim25">${values}</${method}Response>`);
}

function fault(response: ServerResponse, type: string): void {
  const detail = `<detail><${type}Fault xmlns="urn:vim25" xsi:type="${type}"></${type}Fault></detail>`;
  const code = '<faultcode>ServerFaultCode</faultcode><faultstring></faultstring>';
  envelope(response, 500, `<soapenv:Fault>${code}${detail}</soapenv:Fault>`);
}

function envelope(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'content-type': 'text/xml; charset=utf-8' }).end(
    `<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>${body}</soapenv:Body></soapenv:Envelope>`,
  );
}
