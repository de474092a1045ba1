// The store's face for the composition; only re-exports.
export { acquireDataDir, type DataDirLock } from './data-dir.ts';
export { DeliveredLog, type DeliveredLogOptions } from './delivered-log/delivered-log.ts';
export { DataDirInUse, DuplicateRow, FeedPruned, SecretKeyError, StoreBusy, StoreClosed } from './errors.ts';
export { unpackCode } from './packages/unpack-code.ts';
export type * from './port.ts';
export { OutputLog } from './request-log/output-log.ts';
export { RequestLog, type RequestLogOptions } from './request-log/request-log.ts';
export { openStore, type StoreOptions } from './store.ts';
