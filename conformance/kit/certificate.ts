// A self-signed certificate of a domain that nobody has, valid for a hundred years, with its key: worth nothing outside the cases.

export const certificate = {
  domainName: 'conformance.example.com',
  body: `-----BEGIN CERTIFICATE-----
MIIBwDCCAWWgAwIBAgIUN0q2AFMKzyUlAt2GAo5hk5NeBL4wCgYIKoZIzj0EAwIw
IjEgMB4GA1UEAwwXY29uZm9ybWFuY2UuZXhhbXBsZS5jb20wIBcNMjYxMTIyMjEy
NzM0WhgPMjEyNjEwMjkyMTI3MzRaMCIxIDAeBgNVBAMMF2NvbmZvcm1hbmNlLmV4
YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2NAF6Eht68ZuI1aI
XptZbRib4LSEczippYziwx97ufuasnhsVBHmUQsl/MN7nImVWOkIMVGNVmpwBXp+
YA59ZKN3MHUwHQYDVR0OBBYEFI4UxNpnV1j2e0PiVEHbsCc0wItZMB8GA1UdIwQY
MBaAFI4UxNpnV1j2e0PiVEHbsCc0wItZMA8GA1UdEwEB/wQFMAMBAf8wIgYDVR0R
BBswGYIXY29uZm9ybWFuY2UuZXhhbXBsZS5jb20wCgYIKoZIzj0EAwIDSQAwRgIh
APefVLCNh+DGPQ8DEz1SCTq2FHx3l5eCbkGNACafACdhAiEA0f0wK1LOx5FDPJPA
HOfbTZcyNfEcHY+B6bLAGzbfNjA=
-----END CERTIFICATE-----
`,
  privateKey: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgnmp8IuOStph8DmY4
XO/fMkJrg6GXU/LzH6bRJIbDjI6hRANCAATY0AXoSG3rxm4jVohem1ltGJvgtIRz
OKmljOLDH3u5+5qyeGxUEeZRCyX8w3uciZVY6QgxUY1WanAFen5gDn1k
-----END PRIVATE KEY-----
`,
} as const;
