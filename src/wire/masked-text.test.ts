import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSecretName } from '../base/secret-names.ts';
import { maskPrinted } from './masked-text.ts';

const printed = (line: string) => maskPrinted(line, isSecretName);

const rows: readonly (readonly [string, string])[] = [
  ['nothing to hide: 3 of 4', 'nothing to hide: 3 of 4'],
  ['at 12:00:01 GET http://a.example/x?b=1', 'at 12:00:01 GET http://a.example/x?b=1'],
  ['{"user":"u","password":"p w"}', '{"user":"u","password":"(hidden)"}'],
  ["{'user': 'u', 'access_token': 'it\\'s', 'n': 1}", "{'user': 'u', 'access_token': (hidden), 'n': 1}"],
  ["{ user: 'u', dbPassword: 'p w', n: 1 }", "{ user: 'u', dbPassword: (hidden), n: 1 }"],
  ['Authorization: Bearer abc.def and more', 'Authorization: (hidden) and more'],
  ['Cookie: a=1; b=2', 'Cookie: (hidden)'],
  ['http://a.example/?token=t&b=1', 'http://a.example/?token=(hidden)&b=1'],
  ['    [secret] => s', '    [secret] => (hidden)'],
  ["{'credentials': {'access_key_secret': 's'}}", "{'credentials': {'access_key_secret': (hidden)}}"],
];

for (const [line, masked] of rows) {
  test(`of what a function prints: ${line}`, () => assert.equal(printed(line), masked));
}

test('the longest line takes no time, whatever is in it', () => {
  const began = process.cpuUsage();
  for (const piece of [
    'name="token"',
    "token='",
    '"token": ',
    'token: ',
    '<token ',
    "'a",
    'a'.repeat(100),
    'cookie: ',
    '=',
  ]) {
    printed(piece.repeat(32 * 1024).slice(0, 32 * 1024));
  }
  const { user } = process.cpuUsage(began);
  assert.ok(user < 2_000_000, `${user} µs`);
});
