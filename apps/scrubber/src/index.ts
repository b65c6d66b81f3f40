import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { ScrubberParts } from './scrubber.js';
import { ScrubberModule } from './scrubber.module.js';

export { Applier, type ApplierParts } from './applier.js';
export { applyOptions, daemonOptions, orphanOptions, planOptions, scrubberOptions } from './config.js';
export { inspectorOf } from './inspector.js';
export { openPlan } from './plan-file.js';
export { idleSinceOf, newHeader } from './plan-item.js';
export { writePlan } from './plan-output.js';
export { Planner } from './planner.js';
export { Scrubber, type ScrubberParts } from './scrubber.js';

/** Starts a scrubber that runs every `interval` milliseconds. `close` lets the run that is under way end. */
export async function startScrubber(interval: number, parts: ScrubberParts): Promise<{ close(): Promise<void> }> {
  const app = await NestFactory.createApplicationContext(ScrubberModule.every(interval, parts), { logger: false });
  return { close: () => app.close() };
}
