// The TLS policies that the gateway and its groups may have, by the service's names.

export type HttpsRules = {
  /** The oldest version that is taken. Newer ones are, up to TLS 1.3, with every policy. */
  readonly minVersion: 'TLSv1' | 'TLSv1.2';
  /** False: HTTP/1.1 alone is offered by ALPN. */
  readonly hasHttp2: boolean;
};

/**
 * Source: docs for versions and protocols. The service stops at TLS 1.2 with all but the last; here TLS 1.3 is taken besides, so the
 * last two are the same.
 */
export const httpsPolicies = {
  HTTPS1_1_TLS1_0: { minVersion: 'TLSv1', hasHttp2: false },
  HTTPS2_TLS1_0: { minVersion: 'TLSv1', hasHttp2: true },
  HTTPS2_TLS1_2: { minVersion: 'TLSv1.2', hasHttp2: true },
  HTTPS2_TLS1_3: { minVersion: 'TLSv1.2', hasHttp2: true },
} as const satisfies Readonly<Record<string, HttpsRules>>;

export type HttpsPolicy = keyof typeof httpsPolicies;

export function isHttpsPolicy(text: string): text is HttpsPolicy {
  return Object.hasOwn(httpsPolicies, text);
}
