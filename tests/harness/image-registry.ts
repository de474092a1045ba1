// A registry on loopback with one image in it, and the archives that its layers are made of.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync, zstdCompressSync } from 'node:zlib';

export type TarPart = {
  readonly name: string;
  readonly content?: string | Uint8Array;
  /** As in the header: 0 file, 1 hard link, 2 symbolic link, 3 device, 5 directory, x pax records. */
  readonly type?: string;
  readonly link?: string;
  readonly mode?: number;
};

/** An archive of ustar headers; a name that is too long for one comes as a pax record before it. */
export function tarOf(parts: readonly TarPart[]): Buffer {
  const blocks = parts.flatMap((part) => {
    if (Buffer.byteLength(part.name) <= 100) return entryOf(part);
    const record = ` path=${part.name}\n`;
    let length = record.length + 2;
    while (String(length).length + record.length !== length) length += 1;
    return [
      ...entryOf({ name: 'pax', type: 'x', content: `${length}${record}` }),
      ...entryOf({ ...part, name: 'cut' }),
    ];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

function entryOf({ name, content = '', type = '0', link = '', mode = 0o644 }: TarPart): Buffer[] {
  const bytes = Buffer.from(content);
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
  header.write(`${'0'.repeat(7)}\0${'0'.repeat(7)}\0`, 108);
  header.write(`${bytes.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write(`${'0'.repeat(11)}\0`, 136);
  header.write(' '.repeat(8), 148);
  header.write(type, 156);
  header.write(link, 157);
  header.write('ustar\0' + '00', 257);
  const sum = header.reduce((all, byte) => all + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
}

export type ImageParts = {
  readonly layers: readonly Buffer[];
  readonly config: object;
  readonly compression?: 'gzip' | 'zstd' | 'none';
};

type Blob = { readonly mediaType: string; readonly bytes: Buffer };

/** Answers for `team/app:v1`, to who has fetched a token, for the processor of this machine among others. */
export class ImageRegistry {
  readonly asked: string[] = [];
  /** What is sent for a digest instead of what it names. */
  readonly forged = new Map<string, Buffer>();
  /** Who may have it, and how they are asked. Null: anybody. */
  asks: { readonly scheme: 'token' | 'basic'; readonly username: string; readonly password: string } | null = null;
  readonly #blobs = new Map<string, Blob>();
  readonly #server = createServer((request, response) => this.#answer(request, response));
  #tag = '';

  static async open(cleanup: { after(step: () => void): void }): Promise<ImageRegistry> {
    const registry = new ImageRegistry();
    registry.#server.listen(0, '127.0.0.1');
    await once(registry.#server, 'listening');
    cleanup.after(() => {
      registry.#server.closeAllConnections();
      registry.#server.close();
    });
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The digests of what `team/app:v1` names now. */
  publish({ layers, config, compression = 'gzip' }: ImageParts): { manifest: string; layers: readonly string[] } {
    const compress = { gzip: gzipSync, zstd: zstdCompressSync, none: (bytes: Buffer) => bytes }[compression];
    const suffix = compression === 'none' ? '' : `+${compression}`;
    const oci = (kind: string) => `application/vnd.oci.image.${kind}`;
    const descriptors = layers.map((layer) => this.#keep(oci(`layer.v1.tar${suffix}`), Buffer.from(compress(layer))));
    const document = (mediaType: string, body: object) =>
      this.#keep(mediaType, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...body })));
    const settings = this.#keep(oci('config.v1+json'), Buffer.from(JSON.stringify({ os: 'linux', config })));
    const manifest = document(oci('manifest.v1+json'), { config: settings, layers: descriptors });
    const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
    const other = { ...manifest, digest: `sha256:${'0'.repeat(64)}`, platform: { os: 'linux', architecture: 's390x' } };
    const index = document(oci('index.v1+json'), {
      manifests: [other, { ...manifest, platform: { os: 'linux', architecture } }],
    });
    this.#tag = index.digest;
    return { manifest: manifest.digest, layers: descriptors.map(({ digest }) => digest) };
  }

  #keep(mediaType: string, bytes: Buffer): { mediaType: string; digest: string; size: number } {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    this.#blobs.set(digest, { mediaType, bytes });
    return { mediaType, digest, size: bytes.length };
  }

  /** `password` is an identity token. */
  async #changeToken(request: IncomingMessage, response: ServerResponse, password: string): Promise<void> {
    const asked = new URLSearchParams(await text(request));
    const isRight = asked.get('grant_type') === 'refresh_token' && asked.get('refresh_token') === password;
    response.writeHead(isRight ? 200 : 401).end(JSON.stringify({ access_token: 'given' }));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = request.url ?? '';
    this.asked.push(url);
    const { authorization } = request.headers;
    const { scheme, username, password } = this.asks ?? { scheme: 'token', username: '', password: '' };
    const isProven = authorization === `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    if (url.startsWith('/token')) {
      if (request.method === 'POST') void this.#changeToken(request, response, password);
      else if (this.asks === null || isProven) response.end(JSON.stringify({ token: 'given' }));
      else response.writeHead(401).end();
      return;
    }
    if (scheme === 'basic' ? !isProven : authorization !== 'Bearer given') {
      const token = `Bearer realm="http://${this.host}/token",service="here",scope="repository:team/app:pull"`;
      response.writeHead(401, { 'www-authenticate': scheme === 'basic' ? 'Basic realm="here"' : token }).end();
      return;
    }
    const [, wanted = ''] = /^\/v2\/team\/app\/(?:manifests|blobs)\/(.+)$/.exec(url) ?? [];
    const digest = wanted === 'v1' ? this.#tag : wanted;
    const found = this.#blobs.get(digest);
    if (found === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': found.mediaType }).end(this.forged.get(digest) ?? found.bytes);
  }
}
