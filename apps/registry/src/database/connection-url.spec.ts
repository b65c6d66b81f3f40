import { describe, expect, it } from 'vitest';
import { parseConnectionUrl } from './connection-url.js';

const mysql = { kind: 'mysql', host: 'db', port: 3306, user: 'u', password: 'p', database: 'glance', tls: null };

describe('a database URL', () => {
  it.each([
    ['sqlite:////var/lib/glance/glance.sqlite', { kind: 'sqlite', path: '/var/lib/glance/glance.sqlite' }],
    ['sqlite:///glance.sqlite', { kind: 'sqlite', path: 'glance.sqlite' }],
    ['sqlite://', { kind: 'sqlite', path: null }],
    ['sqlite:///:memory:', { kind: 'sqlite', path: null }],
    ['mysql://u:p@db/glance', mysql],
    ['mysql+pymysql://u:p@db:3307/glance?charset=utf8', { ...mysql, port: 3307 }],
    ['mysql+pymysql://u:p%40s%2Fs%3A%25@db/glance', { ...mysql, password: 'p@s/s:%' }],
    ['mysql+pymysql://u:p@s:s@db/glance', { ...mysql, password: 'p@s:s' }],
    ['mariadb://db/glance', { ...mysql, user: '', password: '' }],
    ['mysql://u:p@[::1]:3306/glance', { ...mysql, host: '::1' }],
    ['mysql://u:p@/glance', { ...mysql, host: 'localhost' }],
    ['mysql://u:p@db/glance?ssl_ca=/etc/ca.pem', { ...mysql, tls: { ca: '/etc/ca.pem' } }],
  ])('%s is understood', (url, target) => {
    expect(parseConnectionUrl(url)).toEqual(target);
  });

  it.each([
    '',
    'glance',
    'postgresql://u:secret@db/glance',
    'mysql://u:secret@db',
    'mysql://u:sec%ret@db/glance',
    'sqlite://glance',
  ])('%s is refused without repeating the password', (url) => {
    expect(() => parseConnectionUrl(url)).toThrow(/^\[database\] connection: (?!.*sec).*Use sqlite/);
  });
});
