import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callerSpanHeaders, readCallerSpan } from './caller-span.ts';

const name = 'x-fc-tracing-opentracing-span-context';

test('a span and what is carried along with it are read, and told in the headers of servers', () => {
  const span = readCallerSpan({
    host: 'a',
    [name]: '1:2:0:1',
    [`${name}-baggage-user`]: 'u 1',
    [`${name}-baggage-k`]: 'v',
  });
  assert.deepEqual(span, { context: '1:2:0:1', baggages: { user: 'u 1', k: 'v' } });
  const [first, context, second = '', encoded = ''] = callerSpanHeaders(span ?? assert.fail());
  assert.deepEqual([first, context, second], [name, '1:2:0:1', 'x-fc-tracing-opentracing-span-baggages']);
  assert.deepEqual(JSON.parse(Buffer.from(encoded, 'base64').toString()), { user: 'u 1', k: 'v' });
});

test('a caller without a span carries nothing, whatever else it sends', () => {
  assert.equal(readCallerSpan({ host: 'a', [`${name}-baggage-k`]: 'v' }), null);
  assert.equal(readCallerSpan({ [name]: '' }), null);
  const hostile = readCallerSpan({ [name]: 's', [`${name}-baggage-__proto__`]: 'v' });
  assert.deepEqual(Object.keys(hostile?.baggages ?? {}), ['__proto__']);
});
