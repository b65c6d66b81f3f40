import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ScratchDirectory, scratchDirectory } from '../tools/services/scratch-directory.js';
import { run } from './command.js';
import { begin, send } from './http.js';
import { imageClient } from './image-client.js';
import { type Launcher, startLauncher } from './launcher.js';
import { root, target } from './service.js';

const MiB = 1024 * 1024;

describe.runIf(target === 'ours')('the launcher', () => {
  let directory: ScratchDirectory;
  let launcher: Launcher;

  beforeAll(() => {
    directory = scratchDirectory('disk');
  });
  afterAll(() => directory.remove());
  beforeEach(async () => {
    launcher = await startLauncher(directory.path);
  });
  afterEach(() => launcher.process.kill());

  it('says where it listens, where its data is, and that there is no login', () => {
    const printed = launcher.process.log();
    expect(printed).toContain(launcher.url);
    expect(printed).toContain(join(directory.path, 'data'));
    expect(printed).toMatch(/no authentication/i);
  });

  it('is what npm start runs', async () => {
    const { stdout } = await run('node', [join(root, 'tools/start.mjs'), '--help']);
    expect(stdout).toContain('--bind-port');
  });

  it('prints three commands, and each of them works', async () => {
    const commands = launcher.process.log().match(/^ {2}\S.*$/gm) ?? [];
    expect(commands).toHaveLength(3);
    for (const command of commands) {
      const { stdout } = await run('sh', ['-ec', command], { input: 'empty' });
      expect(stdout).toMatch(/hello|images/);
    }
    expect((await imageClient(launcher.url).list()).map(({ name }) => name)).toContain('hello');
  });

  it('listens on this machine only', async () => {
    // All of 127.0.0.0/8 is this machine: who listens on every address listens there, too.
    const socket = connect(launcher.port, '127.0.0.2');
    await expect(once(socket, 'connect')).rejects.toThrow('ECONNREFUSED');
    await expect(fetch(`http://[::1]:${launcher.port}/`)).rejects.toThrow();
  });

  it('finds its images again after the next start', async () => {
    const images = imageClient(launcher.url);
    const id = await images.create();
    const data = randomBytes(MiB);
    await images.upload(id, data);
    await launcher.process.stop();
    launcher = await startLauncher(directory.path);
    expect((await imageClient(launcher.url).download(id)).body.equals(data)).toBe(true);
  });

  it('completes running transfers when it is told to stop, and takes no more', async () => {
    const images = imageClient(launcher.url);
    const [downloaded, uploaded] = [await images.create(), await images.create()];
    const data = randomBytes(64 * MiB);
    await images.upload(downloaded, data);
    const upload = begin('PUT', `${launcher.url}/v2/images/${uploaded}/file`, {
      'content-type': 'application/octet-stream',
      'content-length': 2 * MiB,
    });
    upload.request.write(data.subarray(0, MiB));
    const download = begin('GET', `${launcher.url}/v2/images/${downloaded}/file`);
    download.request.end();
    const response = await download.replied;
    await once(response, 'readable');
    await expect.poll(async () => (await images.image(uploaded)).status).toBe('saving');
    const idle = connect(launcher.port, '127.0.0.1');
    await once(idle, 'connect');

    launcher.process.signal('SIGTERM');
    await expect
      .poll(() =>
        send('GET', `${launcher.url}/v2/images`).then(
          ({ status }) => status,
          () => 'refused',
        ),
      )
      .not.toBe(200);
    const late = await send('GET', `${launcher.url}/v2/images`).then(
      ({ status }) => status,
      () => 'refused',
    );
    expect([503, 'refused']).toContain(late);

    expect((await buffer(response)).equals(data)).toBe(true);
    upload.request.end(data.subarray(MiB, 2 * MiB));
    expect((await upload.replied).statusCode).toBe(204);
    expect(await launcher.process.exited).toEqual({ code: 0, signal: null });
    idle.destroy();

    launcher = await startLauncher(directory.path);
    const kept = await imageClient(launcher.url).download(uploaded);
    expect(kept.body.equals(data.subarray(0, 2 * MiB))).toBe(true);
  });

  it('stops at once when nobody is served', async () => {
    // The connection stays open for a next request.
    await fetch(`${launcher.url}/v2/images`);
    const began = Date.now();
    launcher.process.signal('SIGTERM');
    expect(await launcher.process.exited).toEqual({ code: 0, signal: null });
    // Far less than the minute that transfers are given.
    expect(Date.now() - began).toBeLessThan(20_000);
  });
});
