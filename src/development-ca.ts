// The authority that signs certificates for domains without one: its key and certificate in the data directory. Used by server.ts.
// Nothing ever trusts it by itself; who wants to gives `dev-ca.crt` to a client.
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsAuthority } from './gateway/index.ts';
import type { Store } from './store/index.ts';
import { issueAuthority } from './wire/x509.ts';

const subject = 'Yunmen development authority';
const yearMs = 365 * 24 * 60 * 60 * 1000;
const dayMs = 24 * 60 * 60 * 1000;
/** Domains read at once. */
const pageSize = 1_000;

export type DevelopmentCa = {
  readonly authority: TlsAuthority;
  /** Absolute path of the certificate in PEM. */
  readonly certificateFile: string;
  close(): void;
};

/** Errors: a sentence when others can reach the key file. */
function loadKey(path: string): KeyObject {
  if (!existsSync(path)) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeWhole(path, String(privateKey.export({ type: 'pkcs8', format: 'pem' })), 0o600);
    return privateKey;
  }
  const mode = statSync(path).mode & 0o777;
  if ((mode & 0o077) !== 0) {
    throw new Error(
      `the key ${path} has mode ${mode.toString(8).padStart(4, '0')}, others can reach it; run: chmod 600 ${path}`,
    );
  }
  return createPrivateKey(readFileSync(path, 'utf8'));
}

function writeWhole(path: string, text: string, mode: number): void {
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text, { mode });
  renameSync(temporary, path);
}

/** Bound domains without their stars, sorted. */
async function boundDomains(store: Store): Promise<string[]> {
  return await store.read(async (tx) => {
    const names = new Set<string>();
    let startKey = '';
    while (true) {
      const page = await tx.rows.domains.list({ startKey, limit: pageSize });
      for (const { domainName } of page) names.add(domainName.replace(/^\*\./, ''));
      const last = page.at(-1);
      if (page.length < pageSize || last === undefined) return [...names].sort();
      startKey = `${last.domainName}\u0000`;
    }
  });
}

/**
 * Opens the authority, making it at first; its certificate permits `.localhost` and the domains that are bound, and is made
 * anew (for the same key) when those change. `onError` hears when that fails later.
 */
export async function openDevelopmentCa(
  dataDir: string,
  store: Store,
  onError: (error: unknown) => void,
): Promise<DevelopmentCa> {
  const key = loadKey(join(dataDir, 'dev-ca.key'));
  const certificateFile = join(dataDir, 'dev-ca.crt');
  let written: string | null = null;
  const refresh = async () => {
    const domains = ['localhost', ...(await boundDomains(store))];
    const permitted = domains.join(' ');
    if (permitted === written) return;
    const now = Date.now();
    writeWhole(
      certificateFile,
      issueAuthority({ subject, key, domains, from: now - dayMs, until: now + 5 * yearMs }),
      0o644,
    );
    written = permitted;
  };
  await refresh();
  let queue = Promise.resolve();
  const unsubscribe = store.onPublished(({ changes }) => {
    if (changes.some(({ kind }) => kind === 'group')) queue = queue.then(refresh).catch(onError);
  });
  return {
    authority: { subject, privateKey: String(key.export({ type: 'pkcs8', format: 'pem' })) },
    certificateFile,
    close: unsubscribe,
  };
}
