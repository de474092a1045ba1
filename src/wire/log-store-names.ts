// The names of projects and log stores. Source: docs, of the Log Service. They are names of directories and files here: neither has
// a dot or a slash.

export const projectName = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/;
export const logstoreName = /^[a-z0-9][a-z0-9_-]{1,61}[a-z0-9]$/;
