// Which operations were called with success, and which case says that it asserts their effect. operations.test.ts compares both.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { at } from './read.ts';

/** `product/version/operation`: `CloudAPI/2016-07-14/CreateApi`. */
export type OperationName = `${'CloudAPI' | 'Dysmsapi' | 'FC'}/${string}/${string}`;

/** Every SDK adaptor of kit/clients.ts reports here. */
export class CallLog {
  #succeeded = new Set<OperationName>();
  /** Code of the error that an operation answered last. */
  #refused = new Map<OperationName, string>();
  readonly #covered = new Set<OperationName>();
  readonly #parameters = new Map<OperationName, Set<string>>();

  /** Called by an adaptor when the SDK returned without an error; `parameters` are the names of what was sent, where it knows them. */
  succeeded(operation: OperationName, parameters: readonly string[] = []): void {
    this.#succeeded.add(operation);
    const names = this.#parameters.get(operation) ?? new Set();
    for (const name of parameters) names.add(name);
    this.#parameters.set(operation, names);
  }

  /** The parameters that some call of an operation had which succeeded. */
  parametersOf(operation: OperationName): ReadonlySet<string> {
    return this.#parameters.get(operation) ?? new Set();
  }

  /** Called by an adaptor when the SDK threw the service's own error. */
  refused(operation: OperationName, code: string): void {
    this.#refused.set(operation, code);
  }

  get covered(): ReadonlySet<OperationName> {
    return this.#covered;
  }

  /**
   * Registers a test that asserts what each of `operations` changed. It fails too when one of them was not called with success by an
   * SDK meanwhile, so that a case cannot cover what it does not do. Cases of one log must not run at the same time.
   */
  covers(operations: readonly OperationName[], title: string, body: () => Promise<void>): void {
    this.#register(operations, title, body, () => {
      const missed = operations.filter((operation) => !this.#succeeded.has(operation));
      assert.deepEqual(missed, [], 'covered, but never called with success');
    });
  }

  /**
   * The same for reads of what cannot be set here: the last that each answered is `code`, the service's own for what is not there. An
   * operation that ever succeeds needs a case of covers().
   */
  coversAbsence(operations: readonly OperationName[], code: string, title: string, body: () => Promise<void>): void {
    this.#register(operations, title, body, () => {
      const codes = operations.map((operation) => [
        operation,
        this.#refused.get(operation),
        this.#succeeded.has(operation),
      ]);
      assert.deepEqual(
        codes,
        operations.map((operation) => [operation, code, false]),
      );
    });
  }

  #register(operations: readonly OperationName[], title: string, body: () => Promise<void>, check: () => void): void {
    for (const operation of operations) this.#covered.add(operation);
    it(title, async () => {
      this.#succeeded = new Set();
      this.#refused = new Map();
      await body();
      check();
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

/** `answered` without a message, or the service's own code and message. */
export type Outcome = { readonly code: string; readonly message: string };

/** How a call ended. Errors: what an SDK throws that the service did not say. */
export async function outcomeOf(work: Promise<unknown>): Promise<Outcome> {
  try {
    await work;
    return { code: 'answered', message: '' };
  } catch (error) {
    const code = at(error, 'code');
    if (typeof code !== 'string') throw error;
    return { code, message: String(at(error, 'data.Message') ?? at(error, 'result.Message') ?? at(error, 'message')) };
  }
}
