import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { scratchDirectory } from '../services/scratch-directory.js';
import { root } from './rendered.js';

const execute = promisify(execFile);

export interface ImageRoot {
  /** Where its file system is mounted. */
  readonly path: string;
  /** Number of the user that it runs as, and of the group. */
  readonly user: string;
  readonly group: string;
  /** `NAME=value` */
  readonly environment: readonly string[];
  readonly command: readonly string[];
  /** Mebibytes that it adds to the plain Debian that it is made from. */
  readonly size: number;
}

export interface ImageRoots {
  readonly roots: Readonly<Record<string, ImageRoot>>;
  close(): Promise<void>;
}

interface Inspected {
  readonly OCIv1: {
    readonly config: { readonly User: string; readonly Cmd: readonly string[]; readonly Env: readonly string[] };
  };
}

/**
 * Builds stages of docker/Dockerfile by Buildah, whose steps run in a chroot: no engine is needed. Where the file names
 * public images, these are a Debian that is made here, of the same packages.
 */
export async function buildImages(stages: readonly string[]): Promise<ImageRoots> {
  const directory = scratchDirectory('disk');
  const storage = ['--storage-driver=vfs', ...['root', 'runroot'].map((name) => `--${name}=${directory.path}/${name}`)];
  const buildah = async (...args: readonly string[]): Promise<string> =>
    (await execute('buildah', [...storage, ...args], { maxBuffer: 2 ** 26 })).stdout.trim();

  /** A plain Debian with some packages. */
  const debian = async (name: string, packages: readonly string[]): Promise<void> => {
    const archive = join(directory.path, `${name}.tar`);
    await execute('mmdebstrap', ['--variant=minbase', `--include=${packages.join(',')}`, 'bookworm', archive]);
    const container = await buildah('from', 'scratch');
    await buildah('add', container, archive, '/');
    const authorities = process.env['NODE_EXTRA_CA_CERTS'];
    if (authorities !== undefined) {
      // Whom this machine trusts npm must trust in there, too.
      await buildah('copy', container, authorities, '/authorities.pem');
      await buildah('config', '--env', 'NODE_EXTRA_CA_CERTS=/authorities.pem', container);
    }
    await buildah('commit', '--rm', container, `localhost/${name}`);
  };
  await Promise.all([debian('base', ['ca-certificates']), debian('build', ['ca-certificates', 'nodejs', 'npm'])]);

  /** Bytes of its layers, which are not compressed. */
  const size = async (image: string): Promise<number> => {
    const manifest = await buildah('inspect', '--type=image', '--format', '{{.Manifest}}', image);
    const { layers } = JSON.parse(manifest) as { layers: readonly { readonly size: number }[] };
    return layers.reduce((bytes, layer) => bytes + layer.size, 0);
  };
  const plain = await size('localhost/base');
  const roots: Record<string, ImageRoot> = {};
  for (const stage of stages) {
    const bases = ['--build-arg=BUILD_IMAGE=localhost/build', '--build-arg=BASE_IMAGE=localhost/base'];
    const files = ['Dockerfile', 'Dockerfile.dockerignore'].map((name) => join(root, 'docker', name));
    const source = ['--file', files[0]!, '--ignorefile', files[1]!, '--target', stage, '--tag', stage, root];
    await buildah('build', '--isolation=chroot', '--layers', ...bases, ...source);
    const { config } = (JSON.parse(await buildah('inspect', '--type=image', stage)) as Inspected).OCIv1;
    const [user = '', group = ''] = config.User.split(':');
    const path = await buildah('mount', await buildah('from', stage));
    const added = ((await size(stage)) - plain) / 2 ** 20;
    roots[stage] = { path, user, group, environment: config.Env, command: config.Cmd, size: Math.round(added) };
  }
  return {
    roots,
    async close() {
      await buildah('umount', '--all');
      directory.remove();
    },
  };
}
