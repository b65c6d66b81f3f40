import type { Image, Logger } from '@glance/domain';
import { type FormatExpectation, type FormatReport, inspectFormat, judgeFormat } from '@glance/format';
import type { Tap } from '@glance/store';
import type { ApiSettings } from '../config.js';

/** Looks at the bytes of one upload. */
export interface Inspection {
  readonly tap: Tap<unknown>;
  /** Call it after the last byte. Throws `UnsafeImage` if the bytes must not be stored under this image. */
  judge(): { readonly virtualSize: number | null };
}

type FormatSettings = Pick<ApiSettings, 'requireImageFormatMatch' | 'gptSafetyChecksNonfatal'>;

/** Says how the bytes of an image are looked at while they arrive. */
export function inspectImage(
  settings: FormatSettings,
  logger: Logger,
): (image: Pick<Image, 'id' | 'diskFormat' | 'containerFormat'>) => Inspection {
  return (image) => {
    // Glance: what is wrapped in another container is not looked into.
    if (image.containerFormat !== 'bare' || image.diskFormat === null) return noInspection;
    const expected: FormatExpectation = {
      diskFormat: image.diskFormat,
      requireMatch: settings.requireImageFormatMatch,
      gptNonfatal: settings.gptSafetyChecksNonfatal,
    };
    // What the first bytes show to be wrong is refused before the rest is moved.
    const tap: Tap<FormatReport> = inspectFormat((report) => void judgeFormat(report, expected));
    return {
      tap,
      judge() {
        const { virtualSize, warnings } = judgeFormat(tap.result(), expected);
        for (const warning of warnings) logger.warn(warning, { imageId: image.id });
        return { virtualSize };
      },
    };
  };
}

const noInspection: Inspection = {
  tap: { through: (data) => data, result: () => undefined },
  judge: () => ({ virtualSize: null }),
};
