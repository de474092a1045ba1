// What a header may be made of. Used by who reads or writes heads: backends, function results, the command line.

/** A header's name. Source: docs (RFC 9110 5.6.2, token). */
export const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Finds what no header's value may hold: line breaks and control characters but the tab. Source: docs (RFC 9110 5.5). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that may not be in a header
export const notInHeaderValue = /[\0-\x08\x0a-\x1f\x7f]/;
