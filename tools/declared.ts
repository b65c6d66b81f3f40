// What `generate.ts` makes pages of. One module, so that the sources of the service are loaded once: they declare metrics.
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { apiDeclarations } from '@glance/api';
import { type Declaration, referencePage, sampleFile } from '@glance/config';
import { openApiDocument } from '../apps/api/src/openapi/openapi-document.js';
import { authorizationPage } from '../apps/api/src/testing/authorization-table.js';
import { declarations as programs } from '../apps/glance/src/config.js';

const root = join(import.meta.dirname, '..');

/** Modules that export `options`, as store drivers do. */
const drivers = globSync('libs/store/src/drivers/*.ts', { cwd: root, exclude: ['**/*.spec.ts'] }).sort();

async function optionsOf(path: string): Promise<Declaration> {
  const { options } = (await import(join(root, path))) as { readonly options?: Declaration };
  if (!options) throw new Error(`${path} exports no options.`);
  return options;
}

const declarations: readonly Declaration[] = [...programs, ...(await Promise.all(drivers.map(optionsOf)))];

/** The formats of a service that configures none. */
function defaultFormats(): { disk: readonly string[]; container: readonly string[] } {
  const all: readonly Declaration[] = apiDeclarations;
  const group = all.find((declaration) => declaration.group === 'image_format');
  const formats = (name: string): readonly string[] => group!.options[name]!.default as readonly string[];
  return { disk: formats('disk_formats'), container: formats('container_formats') };
}

/** Contents by path. */
export const pages: Readonly<Record<string, string>> = {
  'docs/generated/glance-api.conf.sample': sampleFile(declarations),
  'docs/generated/configuration.md': referencePage(declarations),
  'docs/generated/authorization.md': authorizationPage(),
  'docs/generated/openapi.json': `${JSON.stringify(openApiDocument(defaultFormats()), null, 2)}\n`,
};
