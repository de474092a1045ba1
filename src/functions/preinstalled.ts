// The libraries that the cloud's images carry and packages rely on without bringing them. Nothing here is installed unless
// `yunmen runtime add <id> --libraries` asks for it. Read by src/runtime-tools.ts.
import { languageOf } from './languages.ts';
import { findRuntime } from './runtimes.ts';

const node = [
  'co',
  'gm',
  'ali-oss',
  'aliyun-sdk',
  '@alicloud/fc2',
  'tablestore',
  'body',
  'raw-body',
  'ali-mns',
  '@alicloud/pop-core',
  '@alicloud/fnf-2019-03-15',
];
const python = [
  'oss2',
  'tablestore',
  'aliyun-fc2',
  'aliyun-log-python-sdk',
  'aliyun-mns',
  'requests',
  'numpy',
  'scipy',
  'opencv-python',
  'lxml',
  'matplotlib',
  'scrapy',
  'protobuf',
  'simplejson',
  'Wand',
  'aliyun-python-sdk-core',
];

const sets: ReadonlyMap<string, readonly string[]> = new Map([
  ['nodejs6', node],
  ['nodejs8', [...node, 'axios', 'lodash', 'moment', 'uuid']],
  ...['nodejs10', 'nodejs12', 'nodejs14', 'nodejs16'].map((id) => [id, node] as const),
  ['python3', python],
  ['python3.9', python],
]);

/** Names in the language's registry; null for an id whose image carries none. Source: docs. */
export function preinstalledLibraries(runtimeId: string): readonly string[] | null {
  return sets.get(runtimeId) ?? null;
}

/** `Node` of `nodejs16`; null for what is no language of ours. */
export function languageNameOf(runtimeId: string): string | null {
  const runtime = findRuntime(runtimeId);
  return runtime?.kind === 'startable' ? languageOf(runtime.language).name : null;
}
