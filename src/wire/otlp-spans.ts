// Spans as the OpenTelemetry protocol has them over HTTP in JSON. Written by trace-exporter.ts.
// Source: docs (opentelemetry.io/docs/specs/otlp, opentelemetry-proto trace.proto and common.proto).

export type SpanValue = string | number | boolean;

/** Times in epoch ms, with fractions. Ids: lower-case hex, 32 and 16 digits. Attributes that are null are left out. */
export type Span = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly name: string;
  readonly kind: 'server' | 'internal' | 'client';
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, SpanValue | null>>;
  /** Null: it went well; otherwise a sentence. */
  readonly error: string | null;
};

const kinds = { internal: 1, server: 2, client: 3 } as const;
const statusError = 2;

type Attribute = { readonly key: string; readonly value: Readonly<Record<string, SpanValue>> };

/** None for what is null. */
function attribute([key, value]: readonly [string, SpanValue | null]): Attribute[] {
  switch (typeof value) {
    case 'string':
      return [{ key, value: { stringValue: value } }];
    case 'boolean':
      return [{ key, value: { boolValue: value } }];
    case 'number':
      // Whole numbers are 64 bits wide there, and so a text in JSON.
      return [{ key, value: Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value } }];
    default:
      return [];
  }
}

/** Nanoseconds as a text: they are too many for a number. */
function nanoseconds(ms: number): string {
  const whole = Math.floor(ms);
  const rest = Math.min(999_999, Math.round((ms - whole) * 1e6));
  return `${whole}${String(rest).padStart(6, '0')}`;
}

/** One request's body: `{"resourceSpans":[{"resource":…,"scopeSpans":[{"scope":…,"spans":[…]}]}]}`. */
export function encodeSpans(
  spans: readonly Span[],
  resource: Readonly<Record<string, SpanValue | null>>,
  scope: { readonly name: string },
): string {
  const attributesOf = (values: Readonly<Record<string, SpanValue | null>>) =>
    Object.entries(values).flatMap(attribute);
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: attributesOf(resource) },
        scopeSpans: [
          {
            scope,
            spans: spans.map((span) => ({
              traceId: span.traceId,
              spanId: span.spanId,
              ...(span.parentSpanId === null ? {} : { parentSpanId: span.parentSpanId }),
              name: span.name,
              kind: kinds[span.kind],
              startTimeUnixNano: nanoseconds(span.startMs),
              endTimeUnixNano: nanoseconds(span.endMs),
              attributes: attributesOf(span.attributes),
              ...(span.error === null ? {} : { status: { code: statusError, message: span.error } }),
            })),
          },
        ],
      },
    ],
  });
}
