// Where the cloud's documents leave something open, or mean something that a server of one's own does not have: what is done here.
// scripts/compatibility.ts tells of it in docs/compatibility.md.

export const choices: readonly { readonly about: string; readonly what: string }[] = [
  {
    about: 'Whose a domain is (SetDomain)',
    what: 'Not asked: a server of one’s own has nobody to ask. A domain is bound at once (`DomainBindingStatus` BINDING, `DomainCNAMEStatus` RESOLVED), and who may call SetDomain may take it from another group with `IsForce`. Assumed.',
  },
  {
    about: 'OSS and EventBridge backends',
    what: 'CreateApi and CreateBackend take, keep and show them; a call answers D504CO, whose message and `yunmen why` name the kind that is not served.',
  },
  {
    about: 'Aliases with `resolvePolicy` Content',
    what: 'Their rules look at the HTTP call that reaches Function Compute: of a trigger or a function’s URL, InvokeFunction, or an API with an HTTP function behind it. The call by which the gateway invokes an event function has nothing of the client’s: it goes to the alias’s own version. Assumed.',
  },
  {
    about: 'A backend that closes its connection without an answer',
    what: 'A request that came to a connection kept from an earlier one is sent once more, as in the cloud, if its method is GET, HEAD, PUT, DELETE, OPTIONS or TRACE. POST and PATCH are sent again only when nothing of them had gone out (a connection that rested for a second or more is looked at first), else answered D504CO: the backend may have done what they ask for. The cloud’s documents name no methods. A body that is sent as it comes is not sent again.',
  },
  {
    about: 'HttpsPolicy',
    what: 'Oldest versions and HTTP/2 are as documented for each policy; TLS 1.3 is taken with all of them, in the cloud with `HTTPS2_TLS1_3` alone. A client must name its host (SNI).',
  },
  {
    about: 'Long targets and headers over HTTP/2',
    what: 'A path with its query, or one header, of more than 64 KB ends the connection (COMPRESSION_ERROR), and more than 512 headers the request (ENHANCE_YOUR_CALM), before the gateway sees either; over HTTP/1.1 they are answered I413UL and I400HD by the limits of the server.',
  },
  {
    about: 'RpcPattern (ModifyApiGroup)',
    what: 'Refused: the metadata names it, and no document says what it does.',
  },
  {
    about: 'What RequestParameters say of values',
    what: 'CreateApi, ModifyApi and ModifyApiConfiguration refuse what no value could fit (`InvalidMinValue`, `InvalidMinLength`, `InvalidMaxLength`, `InvalidEnumValue`, `InvalidDefaultValue`, `InvalidRegularExpression`, `InvalidJsonScheme`); the documents name none of it. A pattern is one of RE2. Bounds may have a fraction; whole ones are exact within 64 bits. Assumed.',
  },
  {
    about: 'Paths that reach a backend',
    what: 'A segment that the client sent for a parameter of the path stands in the backend’s path as it was written, so that `%2F` and `%252F` stay what they are; other values are escaped whole. Marks that no path may hold are escaped. In events and for matching both read `%2F`, as documented. Assumed.',
  },
  {
    about: 'The access log (CreateLogConfig)',
    what: 'Delivered to files in the form of the Log Service’s fields ([decisions/0013](decisions/0013-shared-counters-and-request-log.md)); one configuration for the access log, whether it is named `PROVIDER` (documents) or `log` (metadata). What a second CreateLogConfig answers (`RepeatedLogConfig`) is assumed, and what one whose files cannot be written (`ServiceUnavailable`, nothing is changed).',
  },
  {
    about: 'CompatibleFlags (ModifyApiGroup)',
    what: '`classic` has the group answer errors as instances of the classic network do, `none` undoes it. The cloud has flags of its own there, of which none is documented.',
  },
  {
    about: 'The age of a process at its function’s first request',
    what: 'A process may have waited before it was given a function ([decisions/0018](decisions/0018-waiting-processes.md)), and be minutes older: `process.uptime()`, `performance.now()`, `logging._startTime` of Python and the start time in /proc tell. Variables that are read at a start, or layers, get a function a process of its own.',
  },
];
