export { formatNames, type FormatName, type Unsafe } from './format.js';
export { inspectFormat, type FormatReport } from './inspect.js';
export { judgeFormat, type FormatExpectation, type FormatVerdict } from './judge.js';
