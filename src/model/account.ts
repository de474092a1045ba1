// Who owns this installation and which access keys may call its APIs.

export type AccessKey = {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
};

/** The one account of an installation. */
export type Account = { readonly accountId: string; readonly regionId: string };
