import { isServiceError } from '@glance/domain';
import type { FormatReport } from '../inspect.js';
import { type FormatExpectation, judgeFormat } from '../judge.js';

/** What is said of an image, with the strictest configuration. */
export function expected(diskFormat: string): FormatExpectation {
  return { diskFormat, requireMatch: true, gptNonfatal: [] };
}

export function accepts(report: FormatReport, diskFormat: string): boolean {
  try {
    judgeFormat(report, expected(diskFormat));
    return true;
  } catch (error) {
    if (isServiceError(error, 'UnsafeImage')) return false;
    throw error;
  }
}

/** Whatever the bytes were: the report makes sense, and it is judged by an acceptance or by the one error. */
export function mustBeSound(report: FormatReport): 'accepted' | 'refused' {
  const { virtualSize, format, signatures, complete } = report;
  if (virtualSize !== null && !(Number.isSafeInteger(virtualSize) && virtualSize >= 0))
    throw new Error(`Virtual size ${virtualSize}`);
  if (!complete || signatures.length === 0 || (format !== null && !signatures.includes(format)))
    throw new Error('Contradiction');
  const names = ['raw', 'ami', ...signatures].filter((declared) => accepts(report, declared));
  return names.length > 0 ? 'accepted' : 'refused';
}
