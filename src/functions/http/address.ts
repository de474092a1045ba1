// Which function a URL leads to: the path form of FC 2, or a host of its own. Called by http-door.ts.
import { latest } from '../../model/function.ts';
import { decodePercent } from '../../wire/percent-encoding.ts';

export const proxyPrefix = '/2016-08-15/proxy/';

export type ProxyAddress = {
  readonly serviceName: string;
  readonly functionName: string;
  readonly qualifier: string;
  /** What of the path is the trigger's address; ends with `/`. */
  readonly basePath: string;
  /** The rest, as sent; begins with `/`. */
  readonly rawPath: string;
};

/**
 * Reads `/2016-08-15/proxy/{service}[.{qualifier}]/{function}[/path…]`; null when it is another path.
 *
 * Source: docs.
 */
export function readProxyPath(path: string): ProxyAddress | null {
  const parts = /^\/2016-08-15\/proxy\/([^/]+)\/([^/]+)(\/.*)?$/.exec(path);
  if (parts === null) return null;
  const [, service = '', name = '', rest = '/'] = parts;
  const named = decodePercent(service);
  const dot = named.indexOf('.');
  return {
    serviceName: dot < 0 ? named : named.slice(0, dot),
    functionName: decodePercent(name),
    qualifier: dot < 0 ? latest : named.slice(dot + 1),
    basePath: `${proxyPrefix}${service}/${name}/`,
    rawPath: rest,
  };
}

export type HostAddress = {
  readonly urlPrefix: string;
  /** A default domain of the cloud's, where a browser must not show what comes. */
  readonly isDefaultDomain: boolean;
};

/** Reads `{prefix}.{region}.fcapp.run` and `{prefix}.localhost`, with or without a port; null for other hosts. */
export function readFunctionHost(host: string): HostAddress | null {
  const name = host.toLowerCase().replace(/:\d+$/, '');
  const parts = /^([a-z0-9-]+)\.(?:localhost|([a-z0-9-]+)\.fcapp\.run)$/.exec(name);
  if (parts === null) return null;
  return { urlPrefix: parts[1] ?? '', isDefaultDomain: parts[2] !== undefined };
}
