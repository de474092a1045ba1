// The descriptions of every operation (catalogue/*.json): loaded once, when first needed. Parsing and answering follow them.

/** A type word (`string`, `number`, `boolean`, `integer`, `long`, `csv`, `integer|string`, `array`) or a schema's name. */
export type NestedField = {
  readonly type: string;
  readonly required?: boolean;
  /** Canonical spellings; requests are matched without case. */
  readonly enum?: readonly string[];
  readonly default?: string;
  /** Members of an array's items. */
  readonly items?: Readonly<Record<string, string>>;
};
export type NestedSchema = Readonly<Record<string, NestedField>>;

/** One parameter of an RPC operation. Lengths in characters unless said. */
export type RpcParameter = {
  readonly type: string;
  readonly required?: boolean;
  readonly min?: number;
  readonly max?: number;
  readonly maxBytes?: number;
  readonly minValue?: number;
  readonly maxValue?: number;
  readonly enum?: readonly string[];
  readonly default?: string | number | boolean;
  /** The schema of the JSON text it holds, `[]` behind it for a list. */
  readonly json?: string;
  readonly csv?: boolean;
  readonly maxItems?: number;
  /** Letters, digits, CJK, `_` and `-`; starts with a letter or CJK. */
  readonly chars?: boolean;
  readonly fields?: Readonly<Record<string, { readonly type: string; readonly required?: boolean }>>;
};

/** The shape of an answer: a type word, members by name, or a list of one shape. */
export type AnswerShape = string | readonly AnswerShape[] | { readonly [name: string]: AnswerShape };

export type RpcOperation = {
  readonly tier: number;
  /** Only POST is allowed. */
  readonly post?: boolean;
  readonly params: Readonly<Record<string, RpcParameter>>;
  readonly answer: { readonly [name: string]: AnswerShape };
};

export type RpcCatalogue = {
  readonly product: string;
  readonly version: string;
  readonly schemas?: Readonly<Record<string, NestedSchema>>;
  readonly operations: Readonly<Record<string, RpcOperation>>;
};

/** A type word, a schema's name, `{array}`, `{map}`, `{json}` (JSON text), or members written in place. */
export type FcType =
  | string
  | { readonly array: FcType }
  | { readonly map: FcType }
  | { readonly json: FcType }
  | { readonly [member: string]: FcType };

export type FcOperation = {
  readonly method: string;
  /** `/2016-08-15/services/{serviceName}[.{qualifier}]/functions`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, FcType>>;
  readonly headers?: readonly string[];
  readonly body?: FcType;
  readonly response?: FcType | null;
  readonly responseKind?: string;
};

export type FcCatalogue = {
  readonly product: 'FC';
  readonly version: FcVersion;
  readonly schemas: Readonly<Record<string, Readonly<Record<string, FcType>>>>;
  readonly operations: Readonly<Record<string, FcOperation>>;
};

export const fcVersions = ['2016-08-15', '2021-04-06', '2023-03-30'] as const;
export type FcVersion = (typeof fcVersions)[number];

/** Versions of the RPC products, by which `/` tells them apart. */
export const rpcVersions = { '2016-07-14': 'CloudAPI', '2017-05-25': 'Dysmsapi' } as const;
export type RpcVersion = keyof typeof rpcVersions;

export function isRpcVersion(text: string): text is RpcVersion {
  return Object.hasOwn(rpcVersions, text);
}

/** Loads an RPC product's catalogue; the module system keeps it. */
export async function loadRpcCatalogue(version: RpcVersion): Promise<RpcCatalogue> {
  const module: { default: unknown } =
    version === '2016-07-14'
      ? await import('./catalogue/cloudapi.json', { with: { type: 'json' } })
      : await import('./catalogue/dysms.json', { with: { type: 'json' } });
  return module.default as RpcCatalogue;
}

/** Loads one version of Function Compute; 2016-08-15 has the schemas of 2021-04-06. */
export async function loadFcCatalogue(version: FcVersion): Promise<FcCatalogue> {
  const open = async () =>
    (await import('./catalogue/fc-2021-04-06.json', { with: { type: 'json' } })) as { default: unknown };
  switch (version) {
    case '2016-08-15': {
      const module: { default: unknown } = await import('./catalogue/fc-2016-08-15.json', { with: { type: 'json' } });
      const shared = (await open()).default as FcCatalogue;
      return { ...(module.default as FcCatalogue), schemas: shared.schemas };
    }
    case '2021-04-06':
      return (await open()).default as FcCatalogue;
    case '2023-03-30': {
      const module: { default: unknown } = await import('./catalogue/fc-2023-03-30.json', { with: { type: 'json' } });
      return module.default as FcCatalogue;
    }
  }
}
