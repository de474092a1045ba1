// Which Content-Type the backend gets: by the category of the API's backend, the mode and the format of the body.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ApiDefinition, BackendContentType } from '../model/api.ts';
import { api, definition, group, open, request } from './testing.ts';

const form = 'application/x-www-form-urlencoded; charset=UTF-8';
const stream = 'application/octet-stream; charset=UTF-8';

type Row = readonly [
  category: BackendContentType['category'],
  value: string | null,
  request: Partial<ApiDefinition['request']>,
  sent: string | null,
  got: string | undefined,
];

const mapped = { mode: 'MAPPING', bodyFormat: 'FORM' } as const;
const streamed = { mode: 'MAPPING', bodyFormat: 'STREAM' } as const;
const through = { mode: 'PASSTHROUGH' } as const;

const rows: readonly Row[] = [
  ['DEFAULT', null, mapped, 'text/plain', form],
  ['DEFAULT', 'shown/default', mapped, null, form],
  ['DEFAULT', null, streamed, 'text/plain', 'text/plain'],
  ['DEFAULT', null, streamed, null, stream],
  ['DEFAULT', null, through, 'text/plain', 'text/plain'],
  ['DEFAULT', null, through, null, undefined],
  ['CUSTOM', 'text/own', mapped, 'text/plain', 'text/own'],
  ['CUSTOM', 'text/own', streamed, 'text/plain', 'text/own'],
  ['CUSTOM', 'text/own', through, 'text/plain', 'text/own'],
  ['CUSTOM', null, mapped, 'text/plain', form],
  ['CLIENT', null, mapped, 'text/plain', 'text/plain'],
  ['CLIENT', null, mapped, null, form],
  ['CLIENT', null, streamed, 'text/plain', 'text/plain'],
];

for (const [category, value, parts, sent, wanted] of rows) {
  const what = `${category} ${value ?? 'without a value'}, ${parts.mode} ${parts.bodyFormat ?? ''}, the client ${sent ?? 'none'}`;
  it(`${what}: ${wanted ?? 'none'}`, async () => {
    const { backend } = definition({});
    assert.ok(backend.kind === 'function-event');
    const rest = { backend: { ...backend, contentType: { category, value } } };
    const bench = open([group(), api('a', definition({ request: { method: 'POST', ...parts }, rest }))]);
    const headers: Record<string, string> = sent === null ? {} : { 'Content-Type': sent };
    await bench.send(request({ method: 'POST', headers, body: 'b' }));
    const got = bench.event()['headers'] as Record<string, string>;
    assert.equal(got['Content-Type'], wanted);
  });
}
