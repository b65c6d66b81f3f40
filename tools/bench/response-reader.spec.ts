import { expect, test } from 'vitest';
import { ResponseReader } from './response-reader.js';

const sized = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: y\r\n\r\nhello';
const chunked =
  'HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nTrailer: z\r\n\r\n';
const empty = 'HTTP/1.1 204 No Content\r\n\r\n';

/** What a reader says of responses that arrive in pieces of `size` bytes. */
function read(responses: string, size: number) {
  const seen: { status: number; body: string; bodyBytes: number }[] = [];
  let body = '';
  const reader = new ResponseReader((piece) => (body += piece.toString()));
  const bytes = Buffer.from(responses);
  for (let start = 0; start < bytes.length; start += size) {
    if (!reader.push(Buffer.from(bytes.subarray(start, start + size)))) continue;
    seen.push({ status: reader.status, body, bodyBytes: reader.bodyBytes });
    body = '';
  }
  return seen;
}

test.each([
  ['a body of announced length', sized, 200, 'hello'],
  ['a chunked body with extensions and trailers', chunked, 201, 'hello'],
  ['no body', empty, 204, ''],
])('%s is read however it was cut', (_, response, status, body) => {
  for (let size = 1; size <= response.length; size++) {
    expect(read(response, size)).toEqual([{ status, body, bodyBytes: body.length }]);
  }
});

test('responses on one connection follow each other', () => {
  expect(read(sized + chunked + empty + sized, 1).map(({ status }) => status)).toEqual([200, 201, 204, 200]);
});

test('an interim response is not the answer', () => {
  expect(read(`HTTP/1.1 100 Continue\r\n\r\n${sized}`, 7)).toEqual([{ status: 200, body: 'hello', bodyBytes: 5 }]);
});

test('a body whose end cannot be known is an error', () => {
  expect(() => read('HTTP/1.1 200 OK\r\n\r\nhello', 100)).toThrow('not announced');
});

test('a server that wants to close is heard', () => {
  const reader = new ResponseReader(() => undefined);
  reader.push(Buffer.from('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'));
  expect(reader.closes).toBe(true);
});
