// The TLS policies that an instance of the gateway may have, by the service's names.

/** All with HTTP/2 and HTTP/1.1. Source: docs; the service has one without HTTP/2 besides, which is not served. */
export const httpsPolicies = {
  /** For old clients: TLS 1.0 and 1.1 with the ciphers that they have. */
  HTTPS2_TLS1_0: { minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' },
  HTTPS2_TLS1_2: { minVersion: 'TLSv1.2', ciphers: null },
  HTTPS2_TLS1_3: { minVersion: 'TLSv1.3', ciphers: null },
} as const;

export type HttpsPolicy = keyof typeof httpsPolicies;

export function isHttpsPolicy(text: string): text is HttpsPolicy {
  return Object.hasOwn(httpsPolicies, text);
}
