import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { chunked, collect, content, never, stalling } from './content.js';
import type { Current } from './describe-driver.js';

const bytes = content(500_000);

/** What is to go, goes; whoever still writes it cannot bring it back. */
export function discardCases(current: Current): void {
  const write = (id: string): Promise<string> =>
    current().driver.write(id, chunked(bytes), { size: undefined, signal: never() });

  it('deletes one image and leaves the others', async () => {
    const { driver, list } = current();
    const before = await list?.();
    const [first, second] = [await write(randomUUID()), await write(randomUUID())];
    await driver.delete(first, never());
    await expect(driver.size(first, never())).rejects.toMatchObject({ code: 'DataNotFound' });
    expect(await driver.size(second, never())).toBe(bytes.length);
    await driver.delete(second, never());
    expect(await list?.()).toEqual(before);
  });

  it('lets an id be written again once it was deleted', async () => {
    const { driver } = current();
    const id = randomUUID();
    await driver.delete(await write(id), never());
    expect(await driver.size(await write(id), never())).toBe(bytes.length);
  });

  it('discards what is not there', async () => {
    const { driver, list } = current();
    const before = await list?.();
    await driver.discard(randomUUID(), never());
    expect(await list?.()).toEqual(before);
  });

  it('discards a complete image, and only that', async () => {
    const { driver } = current();
    const id = randomUUID();
    const [url, other] = [await write(id), await write(randomUUID())];
    await driver.discard(id, never());
    await expect(driver.size(url, never())).rejects.toMatchObject({ code: 'DataNotFound' });
    expect(await driver.size(other, never())).toBe(bytes.length);
  });

  it('discards a half-written image, whose writer cannot finish any more', async () => {
    const { driver, list } = current();
    const id = randomUUID();
    const before = await list?.();
    const source = stalling(bytes);
    const writing = driver.write(id, source.data, { size: bytes.length, signal: never() });
    await source.reached;
    await driver.discard(id, never());
    source.resume();
    await expect(writing).rejects.toBeInstanceOf(Error);
    expect(await list?.()).toEqual(before);
  });

  it('keeps the image of a second writer from the first, whose upload was discarded', async () => {
    const { driver } = current();
    const id = randomUUID();
    const source = stalling(content(500_000, 2));
    const zombie = driver.write(id, source.data, { size: undefined, signal: never() });
    await source.reached;
    await driver.discard(id, never());
    const url = await write(id);
    source.resume();
    await expect(zombie).rejects.toBeInstanceOf(Error);
    const { data } = await driver.read(url, { offset: 0, signal: never() });
    expect((await collect(data)).equals(bytes)).toBe(true);
  });

  it('keeps a second writer that is still at work from the first, whose upload was discarded', async () => {
    const { driver } = current();
    const id = randomUUID();
    const [first, second] = [stalling(content(500_000, 2)), stalling(bytes)];
    const zombie = driver.write(id, first.data, { size: undefined, signal: never() });
    await first.reached;
    await driver.discard(id, never());
    const writing = driver.write(id, second.data, { size: undefined, signal: never() });
    await second.reached;
    first.resume();
    await expect(zombie).rejects.toBeInstanceOf(Error);
    second.resume();
    const { data } = await driver.read(await writing, { offset: 0, signal: never() });
    expect((await collect(data)).equals(bytes)).toBe(true);
  });

  it('lists what it holds, whole or half-written, and what discarding that would free', async () => {
    const { driver } = current();
    if (!driver.ids || !driver.holding) throw new Error('This driver does not say what it holds.');
    const [whole, half, none] = [randomUUID(), randomUUID(), randomUUID()];
    await write(whole);
    const source = stalling(bytes);
    const writing = driver.write(half, source.data, { size: bytes.length, signal: never() });
    await source.reached;
    const listed = new Set<string>();
    for await (const id of driver.ids(never())) listed.add(id);
    expect([whole, half, none].map((id) => listed.has(id))).toEqual([true, true, false]);
    const held = await driver.holding(whole, never());
    expect(held).toMatchObject({ bytes: bytes.length });
    expect(Math.abs(held!.modified - Date.now())).toBeLessThan(120_000);
    expect((await driver.holding(half, never()))!.objects).toBeGreaterThan(0);
    expect(await driver.holding(none, never())).toBeUndefined();
    await driver.discard(half, never());
    source.resume();
    await expect(writing).rejects.toBeInstanceOf(Error);
    expect(await driver.holding(half, never())).toBeUndefined();
  });
}
