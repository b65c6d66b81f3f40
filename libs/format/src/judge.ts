import { ServiceError } from '@glance/domain';
import type { FormatName, Unsafe } from './format.js';
import type { FormatReport } from './inspect.js';

/** What the owner of an image says about it, and what the operator accepts. */
export interface FormatExpectation {
  readonly diskFormat: string;
  /** `[image_format] require_image_format_match`. */
  readonly requireMatch: boolean;
  /** `[image_format] gpt_safety_checks_nonfatal`: names of checks of boot records that only warn. */
  readonly gptNonfatal: readonly string[];
}

export interface FormatVerdict {
  /** Bytes, for the image's `virtual_size`. */
  readonly virtualSize: number | null;
  /** What was accepted although it is odd, a sentence each, for the log. */
  readonly warnings: readonly string[];
}

/** Those which Glance can recognise: an image that is declared as any other may be whatever it likes, if it looks like none of these. */
const inspectable: ReadonlySet<string> = new Set<FormatName>([
  'raw',
  'qcow2',
  'vhd',
  'vhdx',
  'vmdk',
  'vdi',
  'qed',
  'iso',
  'gpt',
  'luks',
]);

/**
 * Decides whether an image may be used, for images in a `bare` container only: others are not looked into. Fails with
 * `UnsafeImage`, whose message says which check failed and how to mend it, and whose `details` have `check`, `disk_format`
 * and `detected`. Of an incomplete report it refuses only what no further byte can mend.
 */
export function judgeFormat(report: FormatReport, expected: FormatExpectation): FormatVerdict {
  const detected = report.format ?? report.signatures.join(', ');
  const refuse = (check: string, message: string): never => {
    throw new ServiceError('UnsafeImage', message, { check, disk_format: expected.diskFormat, detected });
  };
  // A fixed VHD looks like the disk in it until its last bytes.
  const mayBecomeVhd =
    !report.complete && expected.diskFormat === 'vhd' && ['raw', 'gpt'].includes(report.format ?? '');
  if (mayBecomeVhd) return { virtualSize: null, warnings: [] };

  const tolerated = ({ format, check }: Unsafe): boolean => format === 'gpt' && expected.gptNonfatal.includes(check);
  // Glance: does not look for dangers in an image whose format differs when it accepts that. Nobody depends on it.
  const fatal = report.unsafe.filter((danger) => !tolerated(danger));
  const [first] = fatal;
  if (first !== undefined) refuse(first.check, `Image failed safety checks: ${fatal.map(describe).join('; ')}.`);
  const warnings = report.unsafe.map((danger) => `Accepted in spite of a failed check: ${describe(danger)}.`);

  const mismatch = findMismatch(report, expected.diskFormat);
  if (mismatch !== undefined && expected.requireMatch) refuse('format_match', mismatch);
  if (mismatch !== undefined) return { virtualSize: null, warnings: [...warnings, mismatch] };
  if (expected.diskFormat === 'raw' && detected !== 'raw') {
    warnings.push(`Image disk_format is raw and its data is ${detected}.`);
  }
  return { virtualSize: virtualSize(report, expected.diskFormat), warnings };
}

function findMismatch({ format, signatures }: FormatReport, declared: string): string | undefined {
  const sentence = `Image disk_format ${declared} does not match stream data`;
  if (format === null) {
    return `${sentence}, in which multiple formats were detected (${signatures.join(', ')}): rewrite the image so that it has only one, for instance with "qemu-img convert -f ${declared}".`;
  }
  if (declared === format || declared === 'raw') return undefined;
  // Glance: does not know ploop, so to it such data is raw, whatever other name an operator gave the format.
  if (!inspectable.has(declared) && (format === 'raw' || format === 'ploop')) return undefined;
  return `${sentence} ${format}: set disk_format to ${format}, or upload data that is ${declared}.`;
}

function virtualSize(report: FormatReport, declared: string): number | null {
  // Glance: leaves a size of zero unset.
  if (declared === 'raw') return report.size || null;
  return declared === report.format ? report.virtualSize || null : null;
}

function describe({ format, check, reason, remedy }: Unsafe): string {
  return `${format} ${check}: ${reason} (${remedy})`;
}
