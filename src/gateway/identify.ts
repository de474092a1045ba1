// Step 3, Identified: who calls. Signature, Content-MD5, clock and nonce, in this order; or a code; and a token.
// Called by pipeline.ts.
import { contentMd5, type SignatureAlgorithm, type SignedRequest, verifySignature } from '../wire/gateway-signature.ts';
import type { Caller, Identified, Matched } from './context.ts';
import { refuse } from './errors.ts';
import { identifyByCode, readCode, whyCodeIsNotTaken } from './identify-by-code.ts';
import { checkToken } from './identify-by-token.ts';
import { maskedPath } from './request-record.ts';
import { explainMismatch } from './signature-mismatch.ts';
import type { AppKey } from './snapshot.ts';
import { toIdentified } from './states.ts';

const anonymous: Caller = { kind: 'anonymous' };

/** Errors: A400MA, A400AC, I400MH, A400IK, I400HD, A403IS, I400I5, S403TE, I400NC, S403NU; of tokens see checkToken(). */
export function identify(matched: Matched): Identified | Promise<Identified> {
  const { auth } = matched.api;
  switch (auth.type) {
    case 'ANONYMOUS':
      return toIdentified(matched, anonymous);
    case 'APP':
      return identifyApp(matched);
    case 'OPENID':
      return checkToken(matched, auth.openId).then(() => toIdentified(matched, anonymous));
    case 'APPOPENID':
      return identifyApp(matched).then(async (identified) => {
        await checkToken(matched, auth.openId);
        return identified;
      });
  }
}

async function identifyApp(matched: Matched): Promise<Identified> {
  const { headers, api } = matched;
  const appKey = headers.get('x-ca-key');
  if (appKey === undefined || appKey === '') {
    const code = readCode(matched);
    if (code !== null) return toIdentified(matched, identifyByCode(matched, code));
    throw noCredential(matched);
  }
  const signature = headers.get('x-ca-signature');
  if (signature === undefined || signature === '') {
    throw refuse(
      'I400MH',
      { HeaderName: 'X-Ca-Signature' },
      {
        side: 'client',
        field: 'X-Ca-Signature',
        expected: 'the signature of this request',
        message: 'The request names an app with X-Ca-Key but is not signed: X-Ca-Signature is missing.',
      },
      'Empty Signature',
    );
  }
  const algorithm = readAlgorithm(matched);
  const app = matched.snapshot.appKeys.get(appKey);
  if (app === undefined) throw unknownKey(appKey);
  const form = matched.body.isForm ? await matched.body.form() : null;
  const rawNames = matched.body.formWithRawNames;
  const request: SignedRequest = {
    method: matched.method,
    rawPath: matched.rawPath,
    path: matched.path,
    query: matched.query,
    form,
    ...(rawNames === null ? {} : { formWithRawNames: rawNames }),
    header: (lowerName) => headers.get(lowerName),
  };
  const verified = verifySignature(request, signature, app.secret, algorithm);
  if (!verified.ok) {
    throw refuse(
      'A403IS',
      { StringToSign: verified.stringToSign },
      explainMismatch(request, {
        ...{ signature, secret: app.secret, algorithm, stringToSign: verified.stringToSign },
        shownPath: maskedPath(matched),
      }),
    );
  }
  if (headers.has('content-md5')) await checkMd5(matched);
  checkClock(matched);
  const claimed = claimNonce(matched, api.auth.forceNonce, app);
  if (claimed !== true && !(await claimed)) throw usedNonce(matched);
  return toIdentified(matched, { kind: 'app', appId: app.appId, appName: app.appName, appKey, code: null });
}

function noCredential(matched: Matched): Error {
  const { apiName } = matched.api;
  const unused = whyCodeIsNotTaken(matched);
  return refuse(
    'A400MA',
    {},
    {
      side: 'client',
      field: 'X-Ca-Key',
      expected: 'X-Ca-Key and X-Ca-Signature',
      message:
        unused === null
          ? `The API ${apiName} is called by apps only, and the request carries no credential: sign it.`
          : `The API ${apiName} is called by apps only: ${unused}.`,
    },
  );
}

function unknownKey(appKey: string): Error {
  const shown = appKey.slice(0, 100);
  const hasBlanks = appKey.trim() !== appKey || /\s/.test(appKey);
  return refuse(
    'A400IK',
    {},
    {
      side: 'client',
      field: 'X-Ca-Key',
      expected: 'the key of an app',
      got: shown,
      message: hasBlanks
        ? `No app has the key "${shown}": it holds a blank.`
        : `No app has the key "${shown}". Check that it was not deleted or reset, and that it belongs to this gateway.`,
    },
  );
}

function readAlgorithm(matched: Matched): SignatureAlgorithm {
  const value = matched.headers.get('x-ca-signature-method');
  const lower = value?.toLowerCase();
  const algorithm =
    lower === undefined || lower === '' || lower === 'hmacsha256'
      ? 'HmacSHA256'
      : lower === 'hmacsha1'
        ? 'HmacSHA1'
        : null;
  if (algorithm !== null && matched.api.auth.signatureMethods.includes(algorithm)) return algorithm;
  const shown = (value ?? 'HmacSHA256').slice(0, 100);
  const allowed = matched.api.auth.signatureMethods.join(', ');
  throw refuse(
    'I400HD',
    { HeaderName: 'X-Ca-Signature-Method', Reason: `${shown} is not supported` },
    {
      side: 'client',
      field: 'X-Ca-Signature-Method',
      expected: allowed,
      got: shown,
      message: `The API accepts the signature methods ${allowed}, and the request is signed with ${shown}.`,
    },
  );
}

/** Source: docs. */
async function checkMd5(matched: Matched): Promise<void> {
  const sent = matched.headers.get('content-md5') ?? '';
  const body = await matched.body.bytes();
  const actual = body.length === 0 ? null : contentMd5(body);
  if (sent === actual || (sent === '' && actual === null)) return;
  throw refuse(
    'I400I5',
    { Reason: actual === null ? 'body is empty' : 'does not match the body' },
    {
      side: 'client',
      field: 'Content-MD5',
      expected: actual === null ? 'no Content-MD5, as there is no body' : actual,
      got: sent.slice(0, 100),
      message:
        actual === null
          ? 'Content-MD5 was sent with an empty body.'
          : `Content-MD5 is not the Base64 MD5 of the ${body.length} bytes of body that arrived.`,
    },
  );
}

const wholeNumber = /^\d{1,16}$/;

/** Source: docs. */
function checkClock(matched: Matched): void {
  const value = matched.headers.get('x-ca-timestamp');
  if (value === undefined) return;
  const { clockWindowMs } = matched.deps.settings;
  const shown = value.slice(0, 100);
  if (!wholeNumber.test(value)) {
    throw refuse(
      'I400HD',
      { HeaderName: 'X-Ca-Timestamp', Reason: `${shown} is not a number of milliseconds` },
      {
        side: 'client',
        field: 'X-Ca-Timestamp',
        expected: 'milliseconds since 1970, 13 digits',
        got: shown,
        message: 'X-Ca-Timestamp is not a number of milliseconds since 1970.',
      },
      'Invalid Timestamp',
    );
  }
  const offMs = Number(value) - matched.at;
  if (Math.abs(offMs) <= clockWindowMs) return;
  const seconds = Math.round(Math.abs(offMs) / 1000);
  const direction = offMs > 0 ? 'ahead of' : 'behind';
  const isSeconds = value.length === 10;
  throw refuse(
    'S403TE',
    {},
    {
      side: 'client',
      field: 'X-Ca-Timestamp',
      expected: `within ${clockWindowMs / 1000} s of ${matched.at}`,
      got: shown,
      message: isSeconds
        ? 'X-Ca-Timestamp has 10 digits: it is in seconds, and milliseconds are wanted.'
        : `X-Ca-Timestamp is ${seconds} s ${direction} the gateway's clock: set the caller's clock, or sign again for each call.`,
    },
  );
}

/** After the signature, so that forged requests cannot burn nonces. Source: docs. */
function claimNonce(matched: Matched, isForced: boolean, app: AppKey): boolean | Promise<boolean> {
  const nonce = matched.headers.get('x-ca-nonce');
  if (nonce === undefined || nonce === '') {
    if (!isForced) return true;
    throw refuse(
      'I400NC',
      {},
      {
        side: 'client',
        field: 'X-Ca-Nonce',
        expected: 'a fresh UUID',
        message: `The API ${matched.api.apiName} demands X-Ca-Nonce, and the request has none.`,
      },
    );
  }
  return matched.deps.claimNonce(app.key, nonce, matched.deps.settings.clockWindowMs);
}

function usedNonce({ headers, deps }: Matched): Error {
  const minutes = deps.settings.clockWindowMs / 60_000;
  return refuse(
    'S403NU',
    {},
    {
      side: 'client',
      field: 'X-Ca-Nonce',
      expected: `a value not used by this app in ${minutes} minutes`,
      got: headers.get('x-ca-nonce')?.slice(0, 100) ?? '',
      message: `This X-Ca-Nonce was used already: it is a replay. Make a new nonce for each call, also for a retry.`,
    },
  );
}
