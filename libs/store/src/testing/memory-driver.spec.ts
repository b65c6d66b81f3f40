import { describeDriver } from './describe-driver.js';
import { MemoryDriver } from './memory-driver.js';

for (const seek of [true, false]) {
  describeDriver(`memory ${seek ? '' : '(without seek) '}`.trim(), async () => {
    const driver = new MemoryDriver({ seek });
    return { driver, list: () => driver.list() };
  });
}
