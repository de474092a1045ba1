// Wrong members and odd values to every operation of Function Compute that is served, made from the catalogues: see refusals-cloudapi.test.ts.
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import {
  type FcCatalogue,
  type FcOperation,
  type FcType,
  fcVersions,
  loadFcCatalogue,
} from '../src/control/catalogue.ts';
import { listOperations } from '../src/control/registry.ts';
import { Cleanup } from '../tests/harness/server.ts';
import { type Outcome, outcomeOf } from './kit/calls.ts';
import { zipped } from './kit/clients.ts';
import { createSampler } from './kit/odd.ts';
import { at } from './kit/read.ts';
import { addition, World } from './kit/world.ts';

const cleanup = new Cleanup();
after(() => cleanup.run());
const world = await World.start(cleanup);
const served = (await listOperations()).filter(({ product, status }) => product === 'FC' && status !== 'refused');
const zipFile = await zipped(addition);
const [serviceName, functionName] = await world.newFunction(addition);
const functionName3 = await world.newFunction3(addition);

type Members = Readonly<Record<string, unknown>>;

/** Calls that are no JSON, or that would change for long what others call. */
const leftOut: ReadonlySet<string> = new Set(['HttpTriggerProxy', 'InstanceExec', 'InvokeFunction']);

/** A body that is right but for the names of things that are not there. */
function baseOf(operation: string): Members {
  switch (operation) {
    case 'CreateFunction': {
      const code = { zipFile };
      return { functionName: world.unique('odd'), runtime: 'nodejs20', handler: 'index.handler', code };
    }
    case 'CreateService':
      return { serviceName: world.unique('odd') };
    case 'CreateAlias':
      return { aliasName: world.unique('odd'), versionId: '1' };
    case 'CreateTrigger':
      return {
        triggerName: world.unique('odd'),
        triggerType: 'http',
        triggerConfig: '{"authType":"anonymous","methods":["GET"]}',
      };
    case 'CreateLayerVersion':
    case 'PublishLayerVersion':
      return { code: { zipFile }, compatibleRuntime: ['nodejs20'] };
    default:
      return {};
  }
}

const fixedNames: Readonly<Record<string, string>> = { serviceName, qualifier: 'LATEST' };

/** A path to what is there, where that does no harm. */
function pathOf(version: string, name: string, { path, method }: FcOperation): string {
  const isHarmless = method !== 'DELETE' && !/Provision|Scaling/.test(name);
  return path.replace('[.{qualifier}]', '').replaceAll(/\{(\w+)\*?\}/g, (_, member: string) => {
    if (!isHarmless) return 'nobody';
    if (member === 'functionName') return version === '2023-03-30' ? functionName3 : functionName;
    return fixedNames[member] ?? 'nobody';
  });
}

/** Paths to the members of a type, three levels deep, each with its own type. */
function membersOf(
  catalogue: FcCatalogue,
  type: FcType,
  depth = 3,
): (readonly [path: readonly string[], type: FcType])[] {
  const record = typeof type === 'string' ? catalogue.schemas[type] : type;
  if (record === undefined || 'array' in record || 'map' in record || 'json' in record || depth === 0) return [];
  return Object.entries(record).flatMap(([name, member]) => [
    [[name], member] as const,
    ...membersOf(catalogue, member, depth - 1).map(([path, below]) => [[name, ...path], below] as const),
  ]);
}

/** A body with one member set, and what is around it. */
function withMember(base: Members, [name = '', ...rest]: readonly string[], value: unknown): Members {
  const before = at(base, name);
  const inner = typeof before === 'object' && before !== null ? (before as Members) : {};
  return { ...base, [name]: rest.length === 0 ? value : withMember(inner, rest, value) };
}

/** A JSON value of another type; undefined: any value is of this type. */
function ofAnotherType(catalogue: FcCatalogue, type: FcType): unknown {
  if (type === 'string') return 7;
  if (type === 'number' || type === 'boolean') return 'text';
  if (typeof type === 'string') return catalogue.schemas[type] === undefined ? undefined : 'text';
  return 'json' in type ? undefined : 'text';
}

const texts = ['', '\u0000', '-1', '{}', '../..', '猫\u202e'];
const long = 'y'.repeat(70_000);
function oddValues(catalogue: FcCatalogue, type: FcType): readonly unknown[] {
  if (type === 'string') return [...texts, long];
  if (type === 'number') return [-1, 0.5, 1e300];
  if (type === 'boolean') return [true];
  if (typeof type === 'string') return catalogue.schemas[type] === undefined ? [null, 7, [], {}] : [null, {}];
  if ('array' in type) return [[], [null], ...(type.array === 'string' ? [[''], ['\u0000', long]] : [[{}], [{}, {}]])];
  return [{}, { '': '' }, { a: null }, { ' ': long }];
}

/** As they stand in a path. */
const oddNames = ['a%20b', '%00', '..%2F..', '%E7%8C%AB', '-', 'y'.repeat(300), '%', '%FF'];

const sampled = createSampler();

const internal = /^(InternalError|InternalServerError|E[A-Z]+|)$/;

for (const version of fcVersions) {
  describe(`FC ${version}:`, async () => {
    const catalogue = await loadFcCatalogue(version);
    const roa = world.clients.roa(version);
    const names = served
      .filter((row) => row.version === version && !leftOut.has(row.operation))
      .map(({ operation }) => operation);
    const described = (name: string): FcOperation => {
      const found = catalogue.operations[name];
      assert.ok(found, name);
      return found;
    };
    const send = (name: string, body: unknown, query: Members, path: string) => {
      const method = described(name).method.toLowerCase() as 'get' | 'post' | 'put' | 'delete';
      return outcomeOf(roa(name, method, path, query, body as object));
    };
    /** A function that was made after all goes at once: those of a service are published again with every change of it. */
    const call = async (
      name: string,
      body: unknown,
      query: Members = {},
      path = pathOf(version, name, described(name)),
    ): Promise<Outcome> => {
      const outcome = await send(name, body, query, path);
      const made = name === 'CreateFunction' && outcome.code === 'answered' ? String(at(body, 'functionName')) : null;
      if (made !== null) {
        const deleted = await send('DeleteFunction', undefined, {}, `${path}/${encodeURIComponent(made)}`);
        assert.equal(deleted.code, 'answered', `${made}: ${deleted.message}`);
      }
      return outcome;
    };
    const withBody = names.filter((name) => {
      const { body, method } = described(name);
      return body !== undefined && body !== 'bytes' && (method === 'POST' || method === 'PUT');
    });

    it('members of another type are refused by name', async () => {
      const wrong: string[] = [];
      for (const name of withBody) {
        for (const [path, type] of membersOf(catalogue, described(name).body ?? 'bytes')) {
          const value = ofAnotherType(catalogue, type);
          if (value === undefined) continue;
          const { code, message } = await call(name, withMember(baseOf(name), path, value));
          if (code === 'InvalidArgument' && message.includes(path.at(-1) ?? '')) continue;
          wrong.push(`${name} ${path.join('.')}=${String(value)}: ${code}: ${message.slice(0, 200)}`);
        }
        for (const body of [[], 'text', 7, null]) {
          const { code } = await call(name, body);
          if (code !== 'InvalidArgument') wrong.push(`${name} with the body ${JSON.stringify(body)}: ${code}`);
        }
      }
      assert.deepEqual(wrong, []);
    });

    // The actions are those of the other version with services.
    if (version === '2021-04-06') return;
    it('odd members, queries and names are taken or refused, and never an internal error', async () => {
      const wrong: string[] = [];
      const note = (what: string, { code, message }: Outcome) => {
        if (internal.test(code) || (code !== 'answered' && message.length < 10))
          wrong.push(`${what}: ${code}: ${message.slice(0, 200)}`);
      };
      for (const name of names) {
        const { body, query, path } = described(name);
        if (withBody.includes(name)) {
          note(`${name} with an empty body`, await call(name, {}));
          for (const [member, type] of membersOf(catalogue, body ?? 'bytes')) {
            for (const value of sampled(oddValues(catalogue, type))) {
              const what = `${name} ${member.join('.')}=${JSON.stringify(value)?.slice(0, 40)}`;
              note(what, await call(name, withMember(baseOf(name), member, value)));
            }
          }
        }
        for (const parameter of Object.keys(query ?? {})) {
          for (const value of sampled(texts)) {
            note(
              `${name} ?${parameter}=${JSON.stringify(value)}`,
              await call(name, baseOf(name), { [parameter]: value }),
            );
          }
        }
        if (!path.includes('{')) continue;
        for (const odd of sampled(oddNames)) {
          note(
            `${name} at ${odd.slice(0, 20)}`,
            await call(name, baseOf(name), {}, path.replace('[.{qualifier}]', '').replaceAll(/\{\w+\*?\}/g, odd)),
          );
        }
      }
      assert.deepEqual(wrong, []);
    });
  });
}
