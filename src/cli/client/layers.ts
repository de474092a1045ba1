// Layers by the public API of 2021-04-06. Used by the dev project and by `yunmen layer`.
import { crc64 } from '../../wire/crc64.ts';
import { encodeRfc3986 } from '../../wire/percent-encoding.ts';
import { type JsonRecord, readRecords, readText } from './json.ts';
import { type ApiTarget, callFc } from './openapi.ts';

const version = '2021-04-06';

/** The ARN of a new version. `zip` travels as base64. */
export async function publishLayer(
  target: ApiTarget,
  name: string,
  zip: Buffer,
  facts: { readonly runtimes: readonly string[]; readonly description: string },
): Promise<JsonRecord> {
  const path = `/layers/${encodeRfc3986(name)}/versions`;
  const json = {
    Code: { zipFile: zip.toString('base64') },
    compatibleRuntime: facts.runtimes,
    description: facts.description,
  };
  return await callFc(target, { method: 'POST', version, path, action: 'CreateLayerVersion', json });
}

/** The ARN of the newest version when that has just this content, else of a new one. */
export async function ensureLayer(target: ApiTarget, name: string, zip: Buffer): Promise<string> {
  const newest = (await listLayers(target, name)).find((layer) => readText(layer, 'layerName') === name);
  const isSame = newest !== undefined && readText(newest, 'codeChecksum') === crc64(zip);
  const layer = isSame ? newest : await publishLayer(target, name, zip, { runtimes: [], description: '' });
  return readText(layer, 'arn') ?? '';
}

/** At most 100, each by its newest version. */
export async function listLayers(target: ApiTarget, prefix: string): Promise<readonly JsonRecord[]> {
  const query = { prefix, limit: '100' };
  const answer = await callFc(target, { method: 'GET', version, path: '/layers', action: 'ListLayers', query });
  return readRecords(answer, 'layers');
}

export async function deleteLayerVersion(target: ApiTarget, name: string, number: string): Promise<void> {
  const path = `/layers/${encodeRfc3986(name)}/versions/${encodeRfc3986(number)}`;
  await callFc(target, { method: 'DELETE', version, path, action: 'DeleteLayerVersion' });
}
