import { describe, expect, it } from 'vitest';
import { rbdLocation, rbdUrl } from './rbd-location.js';

describe('the location of an image in Ceph', () => {
  it('names the cluster, the pool, the image and the snapshot, as Nova and Cinder expect it', () => {
    const fsid = 'b1d8c7a2-5b1f-4a0e-9c7b-0d6a4ef0a111';
    expect(rbdUrl(fsid, 'images', 'one')).toBe(`rbd://${fsid}/images/one/snap`);
    expect(rbdLocation(`rbd://${fsid}/images/one/snap`)).toEqual({ pool: 'images', image: 'one', snapshot: 'snap' });
  });

  it('escapes what Python escapes', () => {
    const url = rbdUrl('f', "a b/c%!'()*", 'é');
    expect(url).toBe('rbd://f/a%20b%2Fc%25%21%27%28%29%2A/%C3%A9/snap');
    expect(rbdLocation(url)).toEqual({ pool: "a b/c%!'()*", image: 'é', snapshot: 'snap' });
  });

  it('may be the image alone', () => {
    expect(rbdLocation('rbd://one%2Ftwo')).toEqual({ image: 'one/two' });
  });

  for (const url of [
    'rbd://',
    'rbd:///',
    'rbd://a/b',
    'rbd://a/b/c',
    'rbd://a/b/c/d/e',
    'rbd://a//c/d',
    'rbd://a/b/c/',
    'rbd://%zz',
    'rbd://é',
    'rbd://a b',
    'rbd:one',
    'file:///one',
    '',
  ]) {
    it(`is not ${JSON.stringify(url)}`, () => {
      expect(() => rbdLocation(url)).toThrow(expect.objectContaining({ code: 'BadLocation' }));
    });
  }
});
