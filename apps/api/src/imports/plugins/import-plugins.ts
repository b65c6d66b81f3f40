import type { ImportPlugin } from '../import-plugin.js';
import { imageDecompression } from './image-decompression.js';
import { injectImageMetadata } from './inject-image-metadata.js';
import type { PluginSettings } from './plugin-options.js';

/** The plugins that are configured, in their order. */
export function importPlugins(settings: PluginSettings, conversion: ImportPlugin): ImportPlugin[] {
  const { maxSize } = settings;
  const known: Readonly<Record<string, () => ImportPlugin[]>> = {
    inject_image_metadata: () => [injectImageMetadata(settings)],
    image_conversion: () => [conversion],
    image_decompression: () => [imageDecompression(maxSize)],
  };
  return settings.imageImportPlugins.flatMap((name) => known[name]?.() ?? []);
}
