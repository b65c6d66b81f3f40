export { chunked, collect, content, never, stalling } from './content.js';
export { describeDriver, type DriverUnderTest } from './describe-driver.js';
export { MemoryDriver } from './memory-driver.js';
export { settingsOf } from './settings.js';
