// Compiles the parameters of an API into a plan that map.ts carries out for each request. Called by compile-api.ts.
import type { SchemaCheck } from '../base/json-schema.ts';
import type { ApiDefinition, FrontLocation, RequestParameter } from '../model/api.ts';
import {
  BadDefinition,
  compileCheck,
  compileSchema,
  type Engines,
  expectedOf,
  type ValueCheck,
} from '../model/value-check.ts';
import { isSystemName, type SystemName } from './system-names.ts';

/** A place in the backend request. `replaces`: the gateway's spelling of a header that it writes itself otherwise. */
export type Target = { readonly location: FrontLocation; readonly name: string; readonly replaces?: string };

/** Headers that every backend gets, by lower-case name: what an API maps there stands in their place, however it spells them. */
const ownHeaders: ReadonlyMap<string, string> = new Map(
  ['X-Ca-Api-Gateway', 'X-Forwarded-For', 'Content-Type', 'traceparent', 'tracestate', 'X-Real-IP', 'CA-Host']
    .concat('X-Forwarded-Proto')
    .map((name) => [name.toLowerCase(), name]),
);

function placeAt(location: FrontLocation, name: string): Target {
  const own = location === 'HEAD' ? ownHeaders.get(name.toLowerCase()) : undefined;
  return own === undefined || own === name ? { location, name } : { location, name, replaces: own };
}

/** One declared parameter. */
export type InputPlan = {
  readonly name: string;
  readonly location: FrontLocation;
  /** The name to look up: lower case for headers. */
  readonly key: string;
  /** Index among the segments after the base path; -1 unless the location is PATH. */
  readonly segment: number;
  readonly isRequired: boolean;
  readonly defaultValue: string | null;
  /** All values of the name count, and each is checked. */
  readonly isList: boolean;
  readonly check: ValueCheck | null;
  /** What `check` lets through, in words; empty without one. */
  readonly expected: string;
  readonly targets: readonly Target[];
};

/** Client names that are not sent through because something else decides about them; null: nothing is sent through. */
export type SentThrough = {
  readonly exceptQuery: ReadonlySet<string>;
  /** Lower case. */
  readonly exceptHeaders: ReadonlySet<string>;
  readonly exceptForm: ReadonlySet<string>;
};

export type MappingPlan = {
  readonly inputs: readonly InputPlan[];
  /** Path parameters that are sent unchecked. */
  readonly plainSegments: readonly { readonly name: string; readonly segment: number }[];
  /** Of the backend's path: which of the client's segments stands at a name, as it was written. Other names get values. */
  readonly writtenSegments: ReadonlyMap<string, number>;
  readonly constants: readonly (Target & { readonly value: string })[];
  readonly systems: readonly (Target & { readonly system: SystemName })[];
  readonly sentThrough: SentThrough | null;
  /** Backend headers that the API itself writes, in lower case. */
  readonly headerTargets: ReadonlySet<string>;
  /** `form`: rebuilt from fields. `raw`: sent byte for byte. */
  readonly body: 'form' | 'raw';
  readonly readsForm: boolean;
  /** Of a body of JSON. */
  readonly bodyCheck: SchemaCheck | null;
  readonly contentType:
    | { readonly kind: 'fixed'; readonly value: string }
    /** The client's, else `fallback` (null: none). */
    | { readonly kind: 'client'; readonly fallback: string | null };
};

const formType = 'application/x-www-form-urlencoded; charset=UTF-8';
const streamType = 'application/octet-stream; charset=UTF-8';

/** Errors: BadDefinition. */
export function planMapping(
  definition: ApiDefinition,
  pathParameters: readonly { readonly name: string; readonly index: number }[],
  engines: Engines,
): MappingPlan {
  const mode = definition.request.mode;
  const isPassthrough = mode === 'PASSTHROUGH';
  const targetsOf = readTargets(definition);
  const segmentOf = new Map(pathParameters.map(({ name, index }) => [name, index]));
  const inputs = isPassthrough
    ? []
    : definition.parameters.map((p) => planInput(p, { targets: targetsOf(p.name), segmentOf, engines }));
  const declared = new Set(definition.parameters.filter((p) => p.location === 'PATH').map((p) => p.name));
  const plainSegments = pathParameters
    .filter(({ name }) => isPassthrough || (mode === 'MAPPING_PASSTHROUGH' && !declared.has(name)))
    .map(({ name, index }) => ({
      name: targetsOf(name).find((target) => target.location === 'PATH')?.name ?? name,
      segment: index,
    }));
  const constants = definition.constants.map(({ serviceName, value, location }) => ({
    ...placeAt(location, serviceName),
    value,
  }));
  const systems = definition.systems.map(({ name, serviceName, location }) => {
    if (!isSystemName(name)) throw new BadDefinition(`system parameter ${name} is unknown`);
    return { ...placeAt(location, serviceName), system: name };
  });
  const { bodySchema } = definition.request;
  const isRaw = isPassthrough || definition.request.bodyFormat === 'STREAM';
  const fixed = [...constants, ...systems, ...inputs.flatMap((input) => input.targets)];
  return {
    inputs,
    plainSegments,
    writtenSegments: planWrittenSegments(inputs, plainSegments, [...constants, ...systems]),
    constants,
    systems,
    sentThrough: mode === 'MAPPING' ? null : planSentThrough(inputs, fixed),
    headerTargets: new Set(fixed.filter(({ location }) => location === 'HEAD').map(({ name }) => name.toLowerCase())),
    body: isRaw ? 'raw' : 'form',
    readsForm: !isRaw || inputs.some((input) => input.location === 'BODY'),
    bodyCheck: isRaw && bodySchema ? compileSchema('the body', bodySchema, engines) : null,
    contentType: planContentType(definition, isPassthrough, isRaw),
  };
}

/** Where a declared parameter goes. A parameter that nothing maps is checked and not sent. Source: assumed. */
function readTargets(definition: ApiDefinition): (requestName: string) => Target[] {
  const places = new Map(definition.serviceParameters.map((p) => [p.name, p]));
  return (requestName) =>
    definition.mappings
      .filter((mapping) => mapping.requestName === requestName)
      .map(({ serviceName }) => {
        const place = places.get(serviceName);
        if (place === undefined) throw new BadDefinition(`backend parameter ${serviceName} is mapped but not declared`);
        return placeAt(place.location, serviceName);
      });
}

function planInput(
  parameter: RequestParameter,
  plan: { targets: readonly Target[]; segmentOf: ReadonlyMap<string, number>; engines: Engines },
): InputPlan {
  const { name, location } = parameter;
  const { targets, segmentOf, engines } = plan;
  const segment = location === 'PATH' ? segmentOf.get(name) : -1;
  if (segment === undefined) throw new BadDefinition(`path parameter ${name} is not in the path`);
  const check = compileCheck(parameter, engines);
  return {
    name,
    location,
    key: location === 'HEAD' ? name.toLowerCase() : name,
    segment,
    isRequired: parameter.required,
    defaultValue: parameter.defaultValue,
    isList: parameter.type.toLowerCase() === 'array',
    check,
    expected: check === null ? '' : expectedOf(parameter),
    targets,
  };
}

function planWrittenSegments(
  inputs: readonly InputPlan[],
  plainSegments: MappingPlan['plainSegments'],
  others: readonly Target[],
): MappingPlan['writtenSegments'] {
  const written = new Map(plainSegments.map(({ name, segment }) => [name, segment]));
  for (const { location, segment, targets } of inputs) {
    for (const target of targets) {
      if (target.location !== 'PATH') continue;
      if (location === 'PATH') written.set(target.name, segment);
      else written.delete(target.name);
    }
  }
  for (const { location, name } of others) if (location === 'PATH') written.delete(name);
  return written;
}

function planSentThrough(inputs: readonly InputPlan[], fixed: readonly Target[]): SentThrough {
  const namesAt = (location: FrontLocation) => [
    ...inputs.filter((input) => input.location === location).map((input) => input.key),
    ...fixed.filter((target) => target.location === location).map((target) => target.name),
  ];
  return {
    exceptQuery: new Set(namesAt('QUERY')),
    exceptHeaders: new Set(namesAt('HEAD').map((name) => name.toLowerCase())),
    exceptForm: new Set(namesAt('BODY')),
  };
}

/** Source: docs. */
function planContentType(
  definition: ApiDefinition,
  isPassthrough: boolean,
  isRaw: boolean,
): MappingPlan['contentType'] {
  const contentType = 'contentType' in definition.backend ? definition.backend.contentType : null;
  const category = contentType?.category ?? 'DEFAULT';
  if (category === 'CUSTOM' && contentType?.value) return { kind: 'fixed', value: contentType.value };
  if (isPassthrough) return { kind: 'client', fallback: null };
  if (isRaw) return { kind: 'client', fallback: streamType };
  if (category === 'CLIENT') return { kind: 'client', fallback: formType };
  return { kind: 'fixed', value: formType };
}
