import koffi, { type LibraryHandle, type node, type TypeObject } from 'koffi';

/** What may be passed to a function: pointers are bigints, memory for the function to fill is a Buffer. */
export type Argument = bigint | number | string | boolean | Uint8Array | null;

/** librados.h and librbd.h of Ceph 16, which later releases keep. Handles and memory are all `void *`. */
const prototypes = {
  rados: {
    rados_create: 'int rados_create(void *cluster, const char *id)',
    rados_conf_read_file: 'int rados_conf_read_file(void *cluster, const char *path)',
    rados_conf_set: 'int rados_conf_set(void *cluster, const char *option, const char *value)',
    rados_conf_get: 'int rados_conf_get(void *cluster, const char *option, void *buf, size_t len)',
    rados_connect: 'int rados_connect(void *cluster)',
    rados_shutdown: 'void rados_shutdown(void *cluster)',
    rados_cluster_fsid: 'int rados_cluster_fsid(void *cluster, void *buf, size_t len)',
    rados_cluster_stat: 'int rados_cluster_stat(void *cluster, void *result)',
    rados_get_instance_id: 'uint64_t rados_get_instance_id(void *cluster)',
    rados_pool_list: 'int rados_pool_list(void *cluster, void *buf, size_t len)',
    rados_pool_create: 'int rados_pool_create(void *cluster, const char *name)',
    rados_pool_delete: 'int rados_pool_delete(void *cluster, const char *name)',
    rados_application_list: 'int rados_application_list(void *io, void *values, void *length)',
    rados_ioctx_create: 'int rados_ioctx_create(void *cluster, const char *pool, void *io)',
    rados_ioctx_destroy: 'void rados_ioctx_destroy(void *io)',
    rados_ioctx_pool_stat: 'int rados_ioctx_pool_stat(void *io, void *stats)',
    rados_set_pool_full_try: 'void rados_set_pool_full_try(void *io)',
  },
  rbd: {
    rbd_pool_init: 'int rbd_pool_init(void *io, bool force)',
    rbd_image_options_create: 'void rbd_image_options_create(void *options)',
    rbd_image_options_destroy: 'void rbd_image_options_destroy(void *options)',
    rbd_image_options_set_uint64: 'int rbd_image_options_set_uint64(void *options, int name, uint64_t value)',
    rbd_create4: 'int rbd_create4(void *io, const char *name, uint64_t size, void *options)',
    rbd_clone3:
      'int rbd_clone3(void *pio, const char *pname, const char *psnap, void *cio, const char *cname, void *options)',
    rbd_remove: 'int rbd_remove(void *io, const char *name)',
    rbd_rename: 'int rbd_rename(void *io, const char *source, const char *target)',
    rbd_list2: 'int rbd_list2(void *io, void *images, void *max)',
    rbd_image_spec_list_cleanup: 'void rbd_image_spec_list_cleanup(void *images, size_t count)',
    rbd_trash_move: 'int rbd_trash_move(void *io, const char *name, uint64_t delay)',
    rbd_trash_list: 'int rbd_trash_list(void *io, void *entries, void *max)',
    rbd_trash_list_cleanup: 'void rbd_trash_list_cleanup(void *entries, size_t count)',
    rbd_trash_remove: 'int rbd_trash_remove(void *io, const char *id, bool force)',
    rbd_trash_restore: 'int rbd_trash_restore(void *io, const char *id, const char *name)',
    rbd_aio_open: 'int rbd_aio_open(void *io, const char *name, void *image, const char *snap, void *completion)',
    rbd_aio_open_by_id:
      'int rbd_aio_open_by_id(void *io, const char *id, void *image, const char *snap, void *completion)',
    rbd_aio_open_read_only:
      'int rbd_aio_open_read_only(void *io, const char *name, void *image, const char *snap, void *completion)',
    rbd_aio_open_by_id_read_only:
      'int rbd_aio_open_by_id_read_only(void *io, const char *id, void *image, const char *snap, void *completion)',
    rbd_aio_close: 'int rbd_aio_close(void *image, void *completion)',
    rbd_set_image_notification: 'int rbd_set_image_notification(void *image, int fd, int type)',
    rbd_poll_io_events: 'int rbd_poll_io_events(void *image, void *completions, int count)',
    rbd_aio_create_completion: 'int rbd_aio_create_completion(void *argument, void *callback, void *completion)',
    rbd_aio_is_complete: 'int rbd_aio_is_complete(void *completion)',
    rbd_aio_get_return_value: 'intptr_t rbd_aio_get_return_value(void *completion)',
    rbd_aio_release: 'void rbd_aio_release(void *completion)',
    rbd_aio_write: 'int rbd_aio_write(void *image, uint64_t offset, size_t len, void *buf, void *completion)',
    rbd_aio_read: 'int rbd_aio_read(void *image, uint64_t offset, size_t len, void *buf, void *completion)',
    rbd_aio_discard: 'int rbd_aio_discard(void *image, uint64_t offset, uint64_t len, void *completion)',
    rbd_aio_write_zeroes:
      'int rbd_aio_write_zeroes(void *image, uint64_t offset, size_t len, void *completion, int zero_flags, int flags)',
    rbd_aio_flush: 'int rbd_aio_flush(void *image, void *completion)',
    rbd_stat: 'int rbd_stat(void *image, void *info, size_t len)',
    rbd_get_size: 'int rbd_get_size(void *image, void *size)',
    rbd_get_id: 'int rbd_get_id(void *image, void *id, size_t len)',
    rbd_get_create_timestamp: 'int rbd_get_create_timestamp(void *image, void *timestamp)',
    rbd_get_modify_timestamp: 'int rbd_get_modify_timestamp(void *image, void *timestamp)',
    rbd_get_features: 'int rbd_get_features(void *image, void *features)',
    rbd_resize: 'int rbd_resize(void *image, uint64_t size)',
    rbd_flatten: 'int rbd_flatten(void *image)',
    rbd_snap_list: 'int rbd_snap_list(void *image, void *snaps, void *max)',
    rbd_snap_list_end: 'void rbd_snap_list_end(void *snaps)',
    rbd_snap_create: 'int rbd_snap_create(void *image, const char *name)',
    rbd_snap_remove: 'int rbd_snap_remove(void *image, const char *name)',
    rbd_snap_protect: 'int rbd_snap_protect(void *image, const char *name)',
    rbd_snap_unprotect: 'int rbd_snap_unprotect(void *image, const char *name)',
    rbd_snap_is_protected: 'int rbd_snap_is_protected(void *image, const char *name, void *result)',
    rbd_snap_get_namespace_type: 'int rbd_snap_get_namespace_type(void *image, uint64_t id, void *type)',
    rbd_list_children3: 'int rbd_list_children3(void *image, void *children, void *max)',
    rbd_linked_image_spec_list_cleanup: 'void rbd_linked_image_spec_list_cleanup(void *images, size_t count)',
    rbd_watchers_list: 'int rbd_watchers_list(void *image, void *watchers, void *max)',
    rbd_watchers_list_cleanup: 'void rbd_watchers_list_cleanup(void *watchers, size_t count)',
    rbd_metadata_get: 'int rbd_metadata_get(void *image, const char *key, void *value, void *len)',
    rbd_metadata_set: 'int rbd_metadata_set(void *image, const char *key, const char *value)',
    rbd_metadata_remove: 'int rbd_metadata_remove(void *image, const char *key)',
    rbd_metadata_list:
      'int rbd_metadata_list(void *image, const char *after, uint64_t max, void *keys, void *keysLen, void *values, void *valuesLen)',
    rbd_diff_iterate2:
      'int rbd_diff_iterate2(void *image, const char *from, uint64_t offset, uint64_t len, uint8_t parent, uint8_t whole, void *callback, void *argument)',
  },
  c: {
    eventfd: 'int eventfd(unsigned int value, int flags)',
    read: 'intptr_t read(int fd, void *buf, size_t count)',
    close: 'int close(int fd)',
    mallopt: 'int mallopt(int parameter, int value)',
    malloc_trim: 'int malloc_trim(size_t pad)',
  },
} as const;

export type FunctionName = { [L in keyof typeof prototypes]: keyof (typeof prototypes)[L] }[keyof typeof prototypes];

interface Native {
  (...args: Argument[]): number | bigint | undefined;
  async(...args: [...Argument[], (error: Error | null, result: number | bigint | undefined) => void]): void;
}

const files = {
  rados: ['librados.so.2', 'librados2'],
  rbd: ['librbd.so.1', 'librbd1'],
  c: ['libc.so.6', 'libc6'],
} as const;

/** koffi keeps no reference to the memory that a thread works on. */
const inUse = new Set<readonly Argument[]>();

let loaded: ReadonlyMap<string, Native> | undefined;

/** Loads the libraries if that has not been done; throws which Debian package to install when one is missing. */
export function loadLibraries(): void {
  loaded ??= load();
}

/** Calls a function that returns at once; what it returns, 0 for nothing. */
export function call(name: FunctionName, ...args: Argument[]): number {
  return Number(native(name)(...args) ?? 0);
}

/** Calls a function that may block, in a thread of libuv. Memory that is passed stays where it is until it returns. */
export function callInThread(name: FunctionName, ...args: Argument[]): Promise<number> {
  return new Promise((resolve, reject) => {
    inUse.add(args);
    native(name).async(...args, (error, result) => {
      inUse.delete(args);
      if (error) reject(error);
      else resolve(Number(result ?? 0));
    });
  });
}

function native(name: FunctionName): Native {
  loadLibraries();
  return loaded!.get(name)!;
}

/**
 * M_ARENA_MAX of malloc.h. Each of librados' many threads would get an arena of its own, and keep there what it freed:
 * a process that reads images holds a sixth less memory with two arenas in all, and takes no more CPU time.
 */
const arenaMax = -8;

function load(): ReadonlyMap<string, Native> {
  // librbd's own calls nest deeper than the 128 KiB that koffi would give them.
  koffi.config({ ...koffi.config(), async_stack_size: 1024 * 1024 });
  const functions = new Map<string, Native>();
  for (const [key, [file, debianPackage]] of Object.entries(files)) {
    const library = open(file, debianPackage);
    for (const [name, prototype] of Object.entries(prototypes[key as keyof typeof files])) {
      functions.set(name, library.func(prototype));
    }
  }
  functions.get('mallopt')!(arenaMax, 2);
  return functions;
}

/** Reads the string that `offset` of `memory` points to; undefined for a null pointer. */
export function stringAt(memory: Buffer, offset: number): string | undefined {
  const pointer = memory.readBigUInt64LE(offset);
  return pointer === 0n ? undefined : koffi.decode.string(pointer);
}

/** Strings one after the other, a zero behind each; `length` has the bytes of them all. */
export function strings(memory: Buffer, length: Buffer): string[] {
  return memory.toString('utf8', 0, Number(length.readBigUInt64LE())).split('\0').slice(0, -1);
}

/**
 * Calls `onReadable` whenever there is something to read from a descriptor, which keeps the process alive only between
 * `ref` and `unref`.
 */
export function poll(descriptor: number, onReadable: () => void): node.PollHandle {
  const handle = koffi.node.poll(descriptor, { readable: true }, onReadable);
  handle.unref();
  return handle;
}

/** A function that C may call, from whatever thread, until `release`. */
export function callback(
  prototype: string,
  target: (...args: number[]) => number,
): { pointer: bigint; release: () => void } {
  const pointer = koffi.register(target, koffi.pointer(callbackType(prototype)));
  return { pointer, release: () => koffi.unregister(pointer) };
}

const callbackTypes = new Map<string, TypeObject>();

function callbackType(prototype: string): TypeObject {
  const type = callbackTypes.get(prototype) ?? koffi.proto(prototype);
  callbackTypes.set(prototype, type);
  return type;
}

// Not with `deep`: RTLD_DEEPBIND ends the process, for Node's C++ runtime and the library's must be the same.
function open(file: string, debianPackage: string): LibraryHandle {
  try {
    return koffi.load(file);
  } catch (cause) {
    const install = `apt-get install ${debianPackage}`;
    throw new Error(`${file} cannot be loaded. It is in the Debian package ${debianPackage}: ${install}`, { cause });
  }
}
