import type { ImageRoot } from './image-roots.js';

/** Directories of this machine, by where the program finds them. */
type Mounts = Readonly<Record<string, string>>;

/**
 * The command that runs a program of an image as a container does: in its file system, which cannot be written but in
 * /tmp and what is mounted, as its user, without capabilities, with no variables but its own. It uses this machine's
 * network.
 */
export function contained(image: ImageRoot, command: readonly string[], mounts: Mounts): readonly string[] {
  const bound = Object.entries(mounts).map(([at, from]) => `mount --bind '${from}' "$root${at}"`);
  const script = [
    'set -e',
    'root=$0',
    'mount --bind "$root" "$root"',
    'mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"',
    'mount --rbind /dev "$root/dev"',
    'mount -t proc proc "$root/proc"',
    ...bound,
    'mount -o remount,bind,ro "$root"',
    `exec chroot "$root" setpriv --reuid=${image.user} --regid=${image.group} --clear-groups --inh-caps=-all \\`,
    '  --bounding-set=-all --no-new-privs -- env -i "$@"',
  ].join('\n');
  return ['unshare', '--mount', 'sh', '-c', script, image.path, ...image.environment, ...command];
}
