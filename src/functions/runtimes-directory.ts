// Where the bootstraps are. Read by the data process (to name them) and by tests.

/** `<package>/runtimes`, both from source (src/functions) and from the built package (dist/functions). */
export function defaultRuntimesDirectory(): string {
  return new URL('../../runtimes', import.meta.url).pathname;
}
