// Which operations were called with success, and which case says that it asserts their effect. operations.test.ts compares both.
import assert from 'node:assert/strict';
import { it } from 'node:test';

/** `product/version/operation`: `CloudAPI/2016-07-14/CreateApi`. */
export type OperationName = `${'CloudAPI' | 'Dysmsapi' | 'FC'}/${string}/${string}`;

/** Every SDK adaptor of kit/clients.ts reports here. */
export class CallLog {
  #succeeded = new Set<OperationName>();
  readonly #covered = new Set<OperationName>();

  /** Called by an adaptor when the SDK returned without an error. */
  succeeded(operation: OperationName): void {
    this.#succeeded.add(operation);
  }

  get covered(): ReadonlySet<OperationName> {
    return this.#covered;
  }

  /**
   * Registers a test that asserts what each of `operations` changed. It fails too when one of them was not called with success by an
   * SDK meanwhile, so that a case cannot cover what it does not do. Cases of one log must not run at the same time.
   */
  covers(operations: readonly OperationName[], title: string, body: () => Promise<void>): void {
    for (const operation of operations) this.#covered.add(operation);
    it(title, async () => {
      this.#succeeded = new Set();
      await body();
      const missed = operations.filter((operation) => !this.#succeeded.has(operation));
      assert.deepEqual(missed, [], 'covered, but never called with success');
    });
  }
}

/** Asserts that an SDK throws the service's own code. */
export async function fails(code: string | RegExp, work: Promise<unknown>): Promise<void> {
  await assert.rejects(work, (error: { code?: unknown; message?: unknown }) => {
    const said = String(error.code);
    const isRight = typeof code === 'string' ? said === code : code.test(said);
    assert.ok(isRight, `wanted ${code}, got ${said}: ${String(error.message)}`);
    return true;
  });
}
