// The times of the wire: `YYYY-MM-DDThh:mm:ssZ`, RFC 1123, and 17-digit history versions. All in epoch ms inside.

/** `2026-01-02T03:04:05Z`; milliseconds are cut off. */
export function formatUtcSeconds(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19)}Z`;
}

/** Reads `2026-01-02T03:04:05Z`, with or without milliseconds; null for anything else. */
export function parseUtcSeconds(text: string): number | null {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z$/.test(text)) return null;
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : at;
}

/** Reads `Fri, 02 Jan 2026 03:04:05 GMT`, tolerating missing blanks; null for anything else. */
export function parseHttpDate(text: string): number | null {
  const match = /^[A-Za-z]{3},\s*(\d{1,2})\s*([A-Za-z]{3})\s*(\d{4})\s*(\d\d:\d\d:\d\d)\s*(?:GMT|UTC)$/.exec(
    text.trim(),
  );
  if (match === null) return null;
  const at = Date.parse(`${match[1]} ${match[2]} ${match[3]} ${match[4]} GMT`);
  return Number.isNaN(at) ? null : at;
}

/** `20260102030405678`: a moment as 17 digits, UTC. Source: docs. */
export function formatHistoryVersion(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/\D/g, '').slice(0, 17);
}
