// Asks a registry for an image by the OCI distribution protocol: manifests and blobs, each checked against the
// digest that names it. Source: docs (OCI distribution specification 1.1; the token protocol of the registries that came before it).
import { createHash } from 'node:crypto';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { RegistryCredentials } from '../../model/runtime-report.ts';
import { identityTokenUser } from './credentials.ts';

/** Asked once a registry wants one. Null: there is none. */
export type FindCredentials = () => Promise<RegistryCredentials | null>;

export type ImageName = {
  /** Host and port. */
  readonly registry: string;
  readonly repository: string;
  /** A tag, or a digest (`sha256:…`). */
  readonly version: string;
};

export type Descriptor = { readonly mediaType: string; readonly digest: string; readonly size: number };
export type Manifest = { readonly digest: string; readonly config: Descriptor; readonly layers: readonly Descriptor[] };

const smallLimitBytes = 4 * 1024 * 1024;
const answerTimeoutMs = 60_000;
const blobTimeoutMs = 60 * 60_000;
const layersLimit = 128;
const indexTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];
const digestForm = /^sha256:[0-9a-f]{64}$/;
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** `[registry/]repository[:tag][@digest]`; null when it is none. A name without a registry is Docker Hub's. */
export function parseImageName(reference: string): ImageName | null {
  const [, place, tag, digest] =
    /^([A-Za-z0-9][A-Za-z0-9._:/-]*?)(?::([\w][\w.-]{0,127}))?(?:@(.+))?$/.exec(reference) ?? [];
  if (place === undefined || (digest !== undefined && !digestForm.test(digest))) return null;
  const [first = '', ...rest] = place.split('/');
  const isRegistry = rest.length > 0 && /[.:]|^localhost$/.test(first);
  const path = isRegistry ? rest : [first, ...rest];
  if (!path.every((part) => /^[a-z0-9]+([._-]+[a-z0-9]+)*$/.test(part))) return null;
  const hub = path.length === 1 ? `library/${path[0]}` : path.join('/');
  return {
    registry: isRegistry ? first : 'registry-1.docker.io',
    repository: isRegistry ? path.join('/') : hub,
    version: digest ?? tag ?? 'latest',
  };
}

export class Registry {
  readonly #image: ImageName;
  readonly #base: string;
  readonly #findCredentials: FindCredentials;
  /** What is sent once the registry has asked. */
  #authorization: string | null = null;

  constructor(image: ImageName, findCredentials: FindCredentials) {
    const isHere = isLoopback(image.registry.replace(/:\d+$/, ''));
    this.#image = image;
    this.#findCredentials = findCredentials;
    this.#base = `${isHere ? 'http' : 'https'}://${image.registry}/v2/${image.repository}`;
  }

  /** For this machine's processor, where there are several. Errors: throws with what the registry said. */
  async manifest(): Promise<Manifest> {
    const first = await this.#document(this.#image.version);
    if (first.manifests === undefined) return readManifest(first);
    const architecture = architectures[process.arch] ?? process.arch;
    const fitting = first.manifests.find(
      ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
    );
    if (fitting === undefined) throw new Error(`the image is not there for linux/${architecture}`);
    return readManifest(await this.#document(checkDigest(fitting.digest)));
  }

  async config(descriptor: Descriptor): Promise<unknown> {
    if (descriptor.size > smallLimitBytes) throw new Error('the configuration of the image is too large');
    return JSON.parse(await textOf(checked(await this.#blob(descriptor), descriptor)));
  }

  /** The archive, unpacked from its compression. What it gave may be used when it has ended well: its digest is known then. */
  async layer(descriptor: Descriptor): Promise<AsyncIterable<Uint8Array>> {
    const { mediaType } = descriptor;
    const bytes = checked(await this.#blob(descriptor), descriptor);
    if (/\.tar$/.test(mediaType)) return bytes;
    if (/[.+]gzip$/.test(mediaType)) return decompressed(bytes, createGunzip());
    if (/\+zstd$/.test(mediaType)) return decompressed(bytes, createZstdDecompress());
    throw new Error(`a layer of the image is of the type ${mediaType}, which is not read`);
  }

  async #document(version: string): Promise<Document> {
    const accept = [...indexTypes, ...manifestTypes].join(', ');
    const answer = await this.#ask(`/manifests/${version}`, answerTimeoutMs, { accept });
    const bytes = await textOf(limited(bodyOf(answer), smallLimitBytes));
    const digest = digestOf(bytes);
    if (digestForm.test(version) && digest !== version) throw new Error(`the manifest is not what ${version} names`);
    return { ...(JSON.parse(bytes) as Omit<Document, 'digest'>), digest };
  }

  async #blob({ digest }: Descriptor): Promise<AsyncIterable<Uint8Array>> {
    return bodyOf(await this.#ask(`/blobs/${checkDigest(digest)}`, blobTimeoutMs, {}));
  }

  async #ask(path: string, timeoutMs: number, headers: Readonly<Record<string, string>>): Promise<Response> {
    const send = () => {
      const authorization = this.#authorization === null ? {} : { authorization: this.#authorization };
      const signal = AbortSignal.timeout(timeoutMs);
      return fetch(`${this.#base}${path}`, { headers: { ...headers, ...authorization }, signal });
    };
    let answer = await send();
    if (answer.status === 401 && this.#authorization === null) {
      await answer.body?.cancel();
      this.#authorization = await this.#meet(answer.headers.get('www-authenticate') ?? '');
      answer = await send();
    }
    if (answer.ok) return answer;
    await answer.body?.cancel();
    const why = answer.status === 401 || answer.status === 403 ? `: ${this.#passwordHelp}` : '';
    throw new Error(`${this.#image.registry} answered ${answer.status} for ${this.#image.repository}${path}${why}`);
  }

  get #passwordHelp(): string {
    return 'it wants another name and password (--username and --password-stdin, or docker login)';
  }

  /** What is to be sent from now on. */
  async #meet(challenge: string): Promise<string> {
    const credentials = await this.#findCredentials();
    if (/^bearer /i.test(challenge)) return `Bearer ${await this.#fetchToken(challenge, credentials)}`;
    if (credentials === null || !/^basic\b/i.test(challenge))
      throw new Error(`${this.#image.registry}: ${this.#passwordHelp}`);
    return basic(credentials);
  }

  async #fetchToken(challenge: string, credentials: RegistryCredentials | null): Promise<string> {
    const of = (name: string) => new RegExp(`[ ,]${name}="([^"]*)"`, 'i').exec(challenge)?.[1];
    const realm = of('realm');
    if (realm === undefined) throw new Error(`${this.#image.registry} does not say where a token is to be had`);
    const url = new URL(realm);
    if (url.protocol !== 'https:' && !isLoopback(url.hostname))
      throw new Error(`${realm} is no place to ask for a token`);
    const service = of('service');
    const scope = of('scope') ?? `repository:${this.#image.repository}:pull`;
    const asked = new URLSearchParams({ ...(service === undefined ? {} : { service }), scope });
    const answer = await this.#askForToken(url, asked, credentials);
    if (!answer.ok) {
      const why = answer.status === 401 || answer.status === 403 ? `: ${this.#passwordHelp}` : '';
      throw new Error(`${url.host} answered ${answer.status} when it was asked for a token${why}`);
    }
    const given = JSON.parse(await textOf(limited(bodyOf(answer), smallLimitBytes))) as Record<string, unknown>;
    const token = given['token'] ?? given['access_token'];
    if (typeof token !== 'string') throw new Error(`${url.host} gave no token`);
    return token;
  }

  /** An identity token is changed for others. Source: docs (OCI's predecessor: token authentication with OAuth2). */
  #askForToken(url: URL, asked: URLSearchParams, credentials: RegistryCredentials | null): Promise<Response> {
    const signal = AbortSignal.timeout(answerTimeoutMs);
    if (credentials?.username === identityTokenUser) {
      asked.set('grant_type', 'refresh_token');
      asked.set('client_id', 'yunmen');
      asked.set('refresh_token', credentials.password);
      return fetch(url, { method: 'POST', body: asked, redirect: 'error', signal });
    }
    for (const [name, value] of asked) url.searchParams.set(name, value);
    const headers = credentials === null ? {} : { authorization: basic(credentials) };
    return fetch(url, { headers, redirect: credentials === null ? 'follow' : 'error', signal });
  }
}

function basic({ username, password }: RegistryCredentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

type Document = {
  readonly digest: string;
  readonly manifests?: readonly { digest: string; platform?: { os?: string; architecture?: string } }[];
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
};

function readManifest({ digest, config, layers }: Document): Manifest {
  if (config === undefined || !Array.isArray(layers)) throw new Error('the manifest is none of an image');
  if (layers.length > layersLimit) throw new Error(`the image has more than ${layersLimit} layers`);
  return { digest, config, layers };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

function checkDigest(digest: string): string {
  if (digestForm.test(digest)) return digest;
  throw new Error(`'${digest.slice(0, 80)}' is no digest that is known here (sha256:…)`);
}

function digestOf(bytes: string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

function bodyOf({ body }: Response): AsyncIterable<Uint8Array> {
  if (body === null) throw new Error('the registry sent nothing');
  return body;
}

/** The same bytes; throws at their end, or before, when they are not what the descriptor says. */
async function* checked(bytes: AsyncIterable<Uint8Array>, { digest, size }: Descriptor): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let count = 0;
  for await (const part of bytes) {
    count += part.length;
    if (count > size) break;
    hash.update(part);
    yield part;
  }
  if (count !== size || `sha256:${hash.digest('hex')}` !== digest)
    throw new Error(`what came is not what ${digest} names`);
}

async function* limited(bytes: AsyncIterable<Uint8Array>, limitBytes: number): AsyncGenerator<Uint8Array> {
  let count = 0;
  for await (const part of bytes) {
    count += part.length;
    if (count > limitBytes) throw new Error(`the registry sent more than ${limitBytes} bytes`);
    yield part;
  }
}

async function* decompressed(
  bytes: AsyncIterable<Uint8Array>,
  through: ReturnType<typeof createGunzip> | ReturnType<typeof createZstdDecompress>,
): AsyncGenerator<Uint8Array> {
  const { pipeline } = await import('node:stream/promises');
  const fed = pipeline(bytes, through);
  // What goes wrong on the way in shows at the way out, too.
  fed.catch(() => {});
  yield* through;
  await fed;
}

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const parts = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts).toString('utf8');
}
