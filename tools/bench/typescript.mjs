// Preloaded by every process of the benchmark: Node strips the types itself, but takes `./x.js` literally.
import { registerHooks } from 'node:module';

registerHooks({
  resolve(specifier, context, next) {
    const ours = specifier.startsWith('.') && specifier.endsWith('.js') && context.parentURL?.endsWith('.ts');
    return next(ours ? `${specifier.slice(0, -3)}.ts` : specifier, context);
  },
});
