// Writes the event that the gateway hands to an event function. Called by function-event.ts.
import { quoted } from '../../base/quick-json.ts';
import type { BackendRequest } from '../context.ts';

/** `{"name":"value",…}`. */
function textObject(entries: ReadonlyMap<string, string>): string {
  let text = '{';
  for (const [name, value] of entries) {
    text += `${text.length === 1 ? '' : ','}${quoted(name)}:${quoted(value)}`;
  }
  return `${text}}`;
}

/**
 * The event document, UTF-8; `raw` is the body where the request's is the client's own. All seven keys are always there.
 *
 * Shape: `{"headers":{…},"body":"","pathParameters":{},"httpMethod":"POST","path":"/a","isBase64Encoded":false,"queryParameters":{…}}`;
 * a body of bytes is Base64 and isBase64Encoded true, even when empty.
 * Source: live.
 */
export function writeEvent(request: BackendRequest, raw: Buffer): Buffer {
  const { body } = request;
  const isBase64 = body.kind === 'raw';
  const bodyText = isBase64 ? `"${raw.toString('base64')}"` : quoted(body.text);
  return Buffer.from(
    `{"headers":${textObject(request.headers)},"body":${bodyText},"pathParameters":${textObject(request.pathParameters)},` +
      `"httpMethod":${quoted(request.method)},"path":${quoted(request.path)},` +
      `"isBase64Encoded":${isBase64},"queryParameters":${textObject(request.query)}}`,
  );
}
