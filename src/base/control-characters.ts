// Text from elsewhere, which may hold what steers a terminal. Used by the server's log and by the commands.

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const controlCharacters = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** The text with something harmless in place of its control characters; tab and line feed stay. */
export function replaceControls(text: string, replacement: (mark: string) => string): string {
  return text.replace(controlCharacters, replacement);
}
