import { expect, it } from 'vitest';
import { monitorsIn } from './monitors.js';

const both = (host: string): object[] => [
  { host, port: 3300 },
  { host, port: 6789 },
];

it.each([
  ['mon_host = 10.0.0.1,10.0.0.2', [both('10.0.0.1'), both('10.0.0.2')]],
  ['mon host = mon1.example:6789 ; the old one', [[{ host: 'mon1.example', port: 6789 }]]],
  ['\tmon-host=[v2:10.0.0.1:3300/0,v1:10.0.0.1:6789/0],[v2:10.0.0.2]', [
    [{ host: '10.0.0.1', port: 3300 }],
    [{ host: '10.0.0.1', port: 6789 }],
    [{ host: '10.0.0.2', port: 3300 }],
  ]],
  ['mon_host = [v2:[::1]:3301,v1:[::1]:6790] [fd00::2]', [
    [{ host: '::1', port: 3301 }],
    [{ host: '::1', port: 6790 }],
    both('fd00::2'),
  ]],
  ['[global]\nfsid = x\n', []],
])('the monitors of %j are found', (conf, monitors) => {
  expect(monitorsIn(conf)).toEqual(monitors);
}); // prettier-ignore
