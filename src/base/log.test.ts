import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from './log.ts';

const now = () => Date.UTC(2026, 0, 2, 3, 4, 5, 6);

test('text lines hold time, level, message and fields; long values stand below', () => {
  const lines: string[] = [];
  createLog((line) => lines.push(line), 'text', now).warn('it failed', {
    code: 'D502FC',
    why: 'no status',
    output: 'a\nb\n',
    none: null,
  });
  assert.deepEqual(lines, ['03:04:05.006 warn it failed code=D502FC why="no status"\n  output:\n    a\n    b\n']);
});

test('text lines show control characters and do not send them to the terminal', () => {
  const lines: string[] = [];
  const output = '\u001b]0;title\u0007\tone\r\ntwo\rthree\u009b2J\u007f';
  createLog((line) => lines.push(line), 'text', now).warn('a\u001b[2Jb', { output, short: '\u001b[31m' });
  assert.deepEqual(lines, [
    '03:04:05.006 warn a\\x1b[2Jb short=\\x1b[31m\n  output:\n    \\x1b]0;title\\x07\tone\n    two\\x0dthree\\x9b2J\\x7f\n',
  ]);
});

test('JSON lines are one object each', () => {
  const lines: string[] = [];
  createLog((line) => lines.push(line), 'json', now).info('ready', { port: 8080 });
  assert.deepEqual(JSON.parse(lines[0] ?? ''), {
    at: '2026-01-02T03:04:05.006Z',
    level: 'info',
    message: 'ready',
    port: 8080,
  });
});
