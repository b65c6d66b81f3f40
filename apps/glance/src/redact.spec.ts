import { expect, test } from 'vitest';
import { redactor } from './redact.js';

const redact = redactor(['open-sesame', 'abc', 'mysql://glance:wonderland@db/glance']);

test.each([
  ['rabbit://glance:hunter2@mq1:5672,glance:hunter3@mq2/vhost', 'rabbit://glance:***@mq1:5672,glance:***@mq2/vhost'],
  ['swift+https://tenant%3Auser:key@keystone/v3/c/o', 'swift+https://tenant%3Auser:***@keystone/v3/c/o'],
  ['the answer to mysql://glance:wonderland@db/glance', 'the answer to mysql://glance:***@db/glance'],
  ["{ 'x-auth-token': 'abcdef' }", "{ 'x-auth-token': '***' }"],
  ['X-Service-Token: abcdef', 'X-Service-Token: ***'],
  ['authorization: Bearer abcdef', 'authorization: ***'],
  ['GET /v1/o?temp_url_sig=1234&temp_url_expires=5', 'GET /v1/o?temp_url_sig=***&temp_url_expires=5'],
  ['https://s3/b/k?X-Amz-Signature=12ab&x=y', 'https://s3/b/k?X-Amz-Signature=***&x=y'],
  ['{"auth":{"password":"hunter2"}}', '{"auth":{"password":"***"}}'],
  [`token gAAAAAB${'x'.repeat(180)} is not valid`, 'token gAAAA*** is not valid'],
  ['he said open-sesame to it', 'he said *** to it'],
])('%s', (text, safe) => {
  expect(redact(text)).toBe(safe);
});

test.each([
  'GET /v2/images?name=password HTTP/1.1',
  'The password of the user is wrong.',
  'https://example.org:8774/v2/images/abc@2x',
  '[req-11111111-2222-3333-4444-555555555555] abc 12:34:56',
])('%s stays as it is', (text) => {
  expect(redact(text)).toBe(text);
});
