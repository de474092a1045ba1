// Who owns this installation and which access keys may call its APIs.

export type AccessKey = {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
};

/** The one instance of the gateway that groups live on. Source: docs for the form of the id. */
export const instanceId = 'api-shared-vpc-001';

/** The one account of an installation. */
export type Account = { readonly accountId: string; readonly regionId: string };
