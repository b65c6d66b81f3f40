import { type ClaimedDigests, ServiceError } from '@glance/domain';
import { digests } from '@glance/store';
import { atTheEnd } from '../images/at-the-end.js';
import type { Source } from './source.js';

/** The same data, which fails at its end when it has not the digest that was claimed. */
export function verifiedSource(source: Source, { osHashAlgo, osHashValue }: ClaimedDigests): Source {
  return {
    async open(signal) {
      const { size, data } = await source.open(signal);
      const digest = digests([osHashAlgo]);
      const compare = atTheEnd(async () => {
        const found = digest.result()[osHashAlgo];
        if (found === osHashValue) return;
        const what = `the ${osHashAlgo} of the data is ${found}, not ${osHashValue} as was said.`;
        throw new ServiceError('Invalid', what, { step: 'download' });
      });
      return { size, data: compare.through(digest.through(data)) };
    },
  };
}
