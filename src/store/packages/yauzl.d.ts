// The part of yauzl (which ships no types) that unpack.ts uses. Source: yauzl 3.4.0, README.md.
declare module 'yauzl' {
  import type { Readable } from 'node:stream';

  /** One record of the central directory; with `decodeStrings: false` the name is only in `fileNameRaw`. Sizes in bytes. */
  export type Entry = {
    readonly versionMadeBy: number;
    readonly generalPurposeBitFlag: number;
    readonly compressionMethod: number;
    readonly crc32: number;
    readonly compressedSize: number;
    readonly uncompressedSize: number;
    readonly externalFileAttributes: number;
    readonly fileNameRaw: Buffer;
    readonly extraFields: readonly { readonly id: number; readonly data: Buffer }[];
    isEncrypted(): boolean;
    canDecodeFileData(): boolean;
  };

  export type ZipFile = {
    readonly entryCount: number;
    eachEntry(): AsyncIterable<Entry>;
    openReadStreamPromise(entry: Entry): Promise<Readable>;
    readLocalFileHeaderPromise(entry: Entry, options: { minimal: true }): Promise<{ readonly fileDataStart: number }>;
  };

  export function fromBufferPromise(
    buffer: Buffer,
    options: { readonly decodeStrings: false; readonly strictFileNames: true; readonly validateEntrySizes: true },
  ): Promise<ZipFile>;
  export function getFileNameLowLevel(
    generalPurposeBitFlag: number,
    fileName: Buffer,
    extraFields: Entry['extraFields'],
    strictFileNames: boolean,
  ): string;
  export function validateFileName(fileName: string): string | null;
}
