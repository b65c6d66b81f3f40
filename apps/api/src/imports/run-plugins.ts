import type { Image } from '@glance/domain';
import type { ImportPlugin, PluginWork, ReadableData } from './import-plugin.js';

/** An image on its way, after the plugins. */
export interface PreparedImage {
  readonly image: PluginWork['image'];
  readonly data: ReadableData;
}

/** Runs `plugins` one after the other, each on what the one before has left. */
export async function runPlugins(plugins: readonly ImportPlugin[], work: PluginWork): Promise<PreparedImage> {
  let { image, data } = work;
  for (const plugin of plugins) {
    if (plugin.concerns?.(image) === false) continue;
    const result = await plugin.run({ ...work, image, data });
    const { diskFormat = image.diskFormat, containerFormat = image.containerFormat } = result;
    const properties: Image['properties'] = { ...image.properties, ...result.properties };
    image = { ...image, diskFormat, containerFormat, properties };
    data = result.data ?? data;
  }
  return { image, data };
}
