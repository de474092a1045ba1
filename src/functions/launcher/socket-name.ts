// The launcher's socket in the run directory. Client and server agree on it here.

export const launcherSocketName = 'launcher.sock';
