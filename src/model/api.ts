// What an API of the gateway is: the normalised definition that control keeps, publishes and echoes,
// and that the gateway compiles. Wire names live in control/; the pairing is in docs/glossary.md.

import type { ExactNumber } from '../base/exact-number.ts';
import type { CallContent } from './alias-route.ts';

/** The three fixed stages. Source: docs. */
export const stageNames = ['RELEASE', 'PRE', 'TEST'] as const;
export type StageName = (typeof stageNames)[number];

/** Methods an API may be defined for; `ANY` matches every method of a request. The wire's `HEADER` is `HEAD` here. */
export const apiMethods = [
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'PATCH',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'CONNECT',
  'ANY',
] as const;
export type ApiMethod = (typeof apiMethods)[number];

export type AuthType = 'APP' | 'ANONYMOUS' | 'OPENID' | 'APPOPENID';
export type SignatureMethod = 'HmacSHA256' | 'HmacSHA1';
export type RequestMode = 'MAPPING' | 'MAPPING_PASSTHROUGH' | 'PASSTHROUGH';
export type BodyFormat = 'FORM' | 'STREAM';
export type FrontLocation = 'PATH' | 'QUERY' | 'HEAD' | 'BODY';
export type ContentTypeCategory = 'DEFAULT' | 'CUSTOM' | 'CLIENT';

/** One declared parameter of the client's request. `null` = not given. Lengths in characters. */
export type RequestParameter = {
  readonly name: string;
  readonly location: FrontLocation;
  /** `String` `Int` `Long` `Float` `Double` `Boolean` `Array` `File`. */
  readonly type: string;
  readonly required: boolean;
  readonly defaultValue: string | null;
  readonly demoValue: string | null;
  readonly minValue: ExactNumber | null;
  readonly maxValue: ExactNumber | null;
  readonly minLength: number | null;
  readonly maxLength: number | null;
  readonly regularExpression: string | null;
  readonly jsonScheme: string | null;
  /** Type of the items of an `Array`. */
  readonly itemType?: string;
  /** Comma list, as on the wire. */
  readonly enumValue: string | null;
  readonly docShow: 'PUBLIC' | 'PRIVATE';
  readonly docOrder: number;
  readonly description: string;
};

/** One parameter of the backend request, and where it goes. */
export type ServiceParameter = {
  readonly name: string;
  readonly location: FrontLocation;
  readonly type: string;
  readonly catalog: 'REQUEST' | 'CONSTANT' | 'SYSTEM';
};

/** Joins a declared parameter to a backend parameter. */
export type ServiceParameterMapping = { readonly requestName: string; readonly serviceName: string };

export type ConstantParameter = {
  readonly serviceName: string;
  readonly value: string;
  readonly location: FrontLocation;
  readonly description: string;
};

/** `name` is one of `CaClientIp`, `CaDomain`, .... */
export type SystemParameter = {
  readonly name: string;
  readonly serviceName: string;
  readonly location: FrontLocation;
  readonly demoValue: string;
  readonly description: string;
};

/** An FC function as the gateway names it. `serviceName` null means an FC 3 function. `qualifier` null means LATEST. */
export type FunctionTarget = {
  readonly serviceName: string | null;
  readonly functionName: string;
  readonly qualifier: string | null;
  /** What the call carries, for aliases that go by it; absent: nothing that they look at. */
  readonly content?: CallContent;
};

export type BackendContentType = { readonly category: ContentTypeCategory; readonly value: string | null };

/** What the HTTP-like backends share. Texts may hold stage variables, `#name#`. */
type HttpCall = {
  /** `/v3/[userId]`, filled from PATH backend parameters; empty: the path of the request. */
  readonly path: string;
  /** `ANY`: the client's. */
  readonly method: ApiMethod;
  readonly timeoutMs: number;
  readonly contentType: BackendContentType;
};

/** Where a request goes. Times in milliseconds. */
export type Backend =
  | {
      readonly kind: 'function-event';
      readonly target: FunctionTarget;
      readonly regionId: string;
      readonly roleArn: string | null;
      readonly timeoutMs: number;
      readonly contentType: BackendContentType;
    }
  | ({
      readonly kind: 'function-http';
      /** Null: the base URL names no function of this installation. */
      readonly target: FunctionTarget | null;
      readonly baseUrl: string;
      /** 2.0: the request-and-response handlers of FC 2; 3.0: an event handler that gets an HTTP document. */
      readonly version: '2.0' | '3.0';
      /** The function sees only `path`, not the base URL's path before it. */
      readonly onlyBusinessPath: boolean;
      readonly roleArn: string | null;
    } & HttpCall)
  | ({
      readonly kind: 'http';
      /** `http://host:port`, perhaps with a path. */
      readonly address: string;
      /** Instead of the address's host in the Host header. */
      readonly hostHeader: string | null;
    } & HttpCall)
  | ({ readonly kind: 'vpc'; readonly vpc: VpcPlace } & HttpCall)
  /** A backend definition of its own (CreateBackend); what it is in the request's stage counts. */
  | ({ readonly kind: 'shared'; readonly backendId: string } & HttpCall)
  | {
      readonly kind: 'mock';
      readonly status: number;
      readonly headers: readonly { readonly name: string; readonly value: string }[];
      readonly body: string;
      readonly timeoutMs: number;
    }
  /** Kinds that are stored and echoed but not served yet; a call answers D504CO with the kind in the reason. */
  | { readonly kind: 'unserved'; readonly wireKind: string; readonly timeoutMs: number };

/** A place in a VPC: by the name of an access grant, or by its parts. */
export type VpcPlace = {
  /** Null: the parts below say where. */
  readonly accessName: string | null;
  readonly vpcId: string | null;
  readonly instanceId: string | null;
  readonly port: number | null;
  readonly scheme: 'http' | 'https';
  readonly hostHeader: string | null;
};

/** What a stage variable is, in one stage. */
export type StageVariable = {
  readonly name: string;
  /** The value, or with a route the one for requests that no rule takes; null: none. */
  readonly value: string | null;
  readonly route: StageRoute | null;
};

/** Chooses a stage variable's value by a parameter of the request. Source: docs, the rules assumed. */
export type StageRoute = {
  readonly location: FrontLocation;
  readonly parameterName: string;
  /** The first rule that holds decides: equal to `equals`, or a number from `min` to `max`. */
  readonly rules: readonly {
    readonly equals: string | null;
    readonly min: ExactNumber | null;
    readonly max: ExactNumber | null;
    readonly value: string;
  }[];
};

export type OpenIdConfig = {
  readonly openIdApiType: string;
  readonly idTokenParamName: string;
  readonly publicKeyId: string;
  readonly publicKey: string;
};

/** The part of an API that a request needs: frozen by DeployApi. */
export type ApiDefinition = {
  readonly apiName: string;
  readonly auth: {
    readonly type: AuthType;
    readonly signatureMethods: readonly SignatureMethod[];
    readonly forceNonce: boolean;
    readonly appCode: 'DEFAULT' | 'DISABLE' | 'HEADER' | 'HEADER_QUERY';
    readonly disableInternet: boolean;
    readonly openId: OpenIdConfig | null;
  };
  readonly request: {
    readonly protocols: readonly ('HTTP' | 'HTTPS' | 'WEBSOCKET')[];
    readonly method: ApiMethod;
    /** Without the group's base path; `[name]` is a parameter, a trailing `/*` matches the rest. */
    readonly path: string;
    readonly mode: RequestMode;
    readonly bodyFormat: BodyFormat | null;
    /** Reference of the model that describes a STREAM body of JSON. */
    readonly bodyModel?: string;
    /** That model's JSON Schema as it was when the API was deployed; JSON text. */
    readonly bodySchema?: string;
  };
  readonly parameters: readonly RequestParameter[];
  readonly serviceParameters: readonly ServiceParameter[];
  readonly mappings: readonly ServiceParameterMapping[];
  readonly constants: readonly ConstantParameter[];
  readonly systems: readonly SystemParameter[];
  readonly backend: Backend;
};
