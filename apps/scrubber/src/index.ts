import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import type { ScrubberParts } from './scrubber.js';
import { ScrubberModule } from './scrubber.module.js';

export { daemonOptions, scrubberOptions, type ScrubberSettings } from './config.js';
export { type Eraser, Scrubber, type ScrubberParts, type ScrubReport } from './scrubber.js';

/** Starts a scrubber that runs every `interval` milliseconds. `close` lets the run that is under way end. */
export async function startScrubber(interval: number, parts: ScrubberParts): Promise<{ close(): Promise<void> }> {
  const app = await NestFactory.createApplicationContext(ScrubberModule.every(interval, parts), { logger: false });
  return { close: () => app.close() };
}
