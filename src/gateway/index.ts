// The gateway's face: what composition uses. Inside the room import the files directly.
export type { BreakerEvent } from './backends/breaker.ts';
export type { GatewayDeps } from './context.ts';
export { createGateway, type Gateway } from './gateway.ts';
export { listenerLimits, listenerOptions } from './listener.ts';
export { defaultGatewaySettings, type GatewaySettings } from './settings.ts';
export type { TlsAuthority } from './tls.ts';
