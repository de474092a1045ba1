// The span of an invoker's that it names by headers, so that the function's own spans hang below it (OpenTracing). Read where calls
// come in; told to functions by frames and headers.
import type { CallerSpan } from '../model/invocation.ts';

const spanHeader = 'x-fc-tracing-opentracing-span-context';
const baggagePrefix = `${spanHeader}-baggage-`;

/**
 * Null when the caller names none. `headers`: names in lower case.
 *
 * Shape: `x-fc-tracing-opentracing-span-context: 124ed43254b54966:124ed43254b54966:0:1`, and
 * `x-fc-tracing-opentracing-span-context-baggage-<key>: <value>` for each that is carried along.
 * Source: live (fc-nodejs-sdk's tests).
 */
export function readCallerSpan(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): CallerSpan | null {
  const context = headers[spanHeader];
  if (typeof context !== 'string' || context === '') return null;
  const baggages: [string, string][] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(baggagePrefix) && value !== undefined) {
      baggages.push([name.slice(baggagePrefix.length), String(value)]);
    }
  }
  return { context, baggages: Object.fromEntries(baggages) };
}

/** As servers and programs that poll are told it; names and values in turn. Source: docs. */
export function callerSpanHeaders({ context, baggages }: CallerSpan): readonly string[] {
  const encoded = Buffer.from(JSON.stringify(baggages)).toString('base64');
  return [spanHeader, context, 'x-fc-tracing-opentracing-span-baggages', encoded];
}
