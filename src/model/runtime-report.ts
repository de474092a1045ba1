// What `yunmen runtime` shows and does. Made by the composition (src/runtime-tools.ts), printed by the command line.

export type RuntimeReport = {
  /** A runtime id of the cloud. */
  readonly id: string;
  /** What runs it here: `Node 16.20.2`; null when nothing does. */
  readonly runsOn: string | null;
  readonly path: string | null;
  /** True: another version than the id names, and only with --runtime-fallback. */
  readonly isFallback: boolean;
  /** Why nothing runs it, or what it falls back to. */
  readonly note: string | null;
  /** Directory of the cloud's preinstalled libraries, when they were added. */
  readonly libraries: string | null;
};

/** An image in the image directory. `isNew` false: it was there already. */
export type PulledImage = { readonly place: string; readonly digest: string; readonly isNew: boolean };

export type RegistryCredentials = { readonly username: string; readonly password: string };

export type PullOptions = {
  /** Another content takes the place of what is there. */
  readonly replaces: boolean;
  /** Missing: those that docker or podman have kept for its registry, if any. */
  readonly credentials?: RegistryCredentials;
};

/** Fetches an image. Errors: throws with what is wrong. */
export type PullImage = (reference: string, directory: string, options: PullOptions) => Promise<PulledImage>;

export type RuntimeTools = {
  list(): Promise<readonly RuntimeReport[]>;
  /**
   * Fetches what runs `id` (or `node@<version>`), or the libraries that the cloud preinstalls for it.
   *
   * Returns what is there now. Errors: throws with what the user can do instead.
   */
  add(id: string, options: { readonly libraries: boolean; readonly only: readonly string[] }): Promise<string>;
  /** Removes what add() fetched for it. Errors: throws when there is nothing. */
  remove(id: string): Promise<readonly string[]>;
};
