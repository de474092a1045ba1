// Which names say that their value is a secret, so that records and logs do not show it.

const secretName = /passw(or)?d|token|secret|credential|authorization|cookie|app-?code|signature|private-?key/i;

/** True for names of headers, parameters and members like `Authorization`, `db_password`, `accessToken`. */
export function isSecretName(name: string): boolean {
  return secretName.test(name);
}

/** What stands for a hidden value. */
export const hidden = '(hidden)';
