import { describe, expect, it } from 'vitest';
import { isLogged, logLevelOf, logOptions } from './log-options.js';

const levelOf = (program: string, debug: boolean, text: string): string => {
  const defaultLogLevels = logOptions.options.default_log_levels.parse([text]);
  return logLevelOf({ debug, defaultLogLevels, logFile: undefined, logDir: undefined, useJson: false }, program);
};

describe('the level of the log', () => {
  it.each([
    ['glance-api', false, '', 'INFO'],
    ['glance-api', true, 'amqp=WARN,oslo.messaging=INFO', 'DEBUG'],
    ['glance-api', true, 'glance=warn', 'WARNING'],
    ['glance-api', false, 'glance = ERROR, glance.api = DEBUG', 'DEBUG'],
    ['glance-registry', false, 'glance=CRITICAL,glance.api=DEBUG', 'CRITICAL'],
    ['glance', false, 'glance=ERROR', 'ERROR'],
  ])('of %s, with debug %s and "%s", is %s', (program, debug, text, level) => {
    expect(levelOf(program, debug, text)).toBe(level);
  });

  it('must be one that there is', () => {
    expect(() => levelOf('glance-api', false, 'glance=LOUD')).toThrow(/pairs such as glance=WARNING.*DEBUG, INFO/);
    expect(() => levelOf('glance-api', false, 'glance')).toThrow(/pairs/);
  });

  it('leaves out what is less important', () => {
    expect(['DEBUG', 'INFO', 'ERROR'].map((line) => isLogged(line as 'DEBUG', 'INFO'))).toEqual([false, true, true]);
    expect(isLogged('ERROR', 'CRITICAL')).toBe(false);
  });
});
