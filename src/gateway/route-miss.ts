// Says why no API matched, and which one nearly did. Called by match.ts on a miss only.
import type { StageName } from '../model/api.ts';
import type { Received } from './context.ts';
import type { Why } from './errors.ts';
import { type GroupEntry, type Routes, stagesWith } from './snapshot.ts';

/** Looks for the same path with another method, in another stage, with or without the last slash, and the base path. */
export function explainMiss(received: Received, entry: GroupEntry, stage: StageName, routes: Routes | undefined): Why {
  const { method, path, segments } = received;
  const asked = `${method} ${path.slice(0, 500)}`;
  const miss = (field: string, expected: string | null, hint: string): Why => ({
    side: 'client',
    field,
    expected,
    got: `${asked} in stage ${stage}`,
    message: `No API of the group is published for ${asked} in stage ${stage}${hint}`,
  });
  if (routes === undefined) return miss('path', null, ': nothing of this group is published. Publish an API first.');
  const { basePath } = entry.group;
  const from = entry.baseSegments.length;
  if (entry.baseSegments.some((segment, index) => segments[index] !== segment)) {
    return miss('path', `${basePath}/…`, `: every path of this group begins with its base path ${basePath}.`);
  }
  const methods = [...routes[stage].methodsAt(segments, from)].sort();
  if (methods.length > 0) {
    return miss('method', methods.join(', '), `; this path is published for ${methods.join(', ')}.`);
  }
  const stages = stagesWith(routes, segments, from, method);
  if (stages.length > 0) {
    const names = stages.join(', ');
    return miss('X-Ca-Stage', names, `; it is published in ${names}. Send X-Ca-Stage or publish it to ${stage}.`);
  }
  const endsInSlash = segments.at(-1) === '';
  const other = endsInSlash ? segments.slice(0, -1) : [...segments, ''];
  if (routes[stage].find(other, from, method) !== null) {
    const wanted = endsInSlash ? path.slice(0, -1) : `${path}/`;
    return miss('path', wanted.slice(0, 500), `; the path ${endsInSlash ? 'without' : 'with'} a last slash is.`);
  }
  return miss('path', null, '. Compare the path with those of the group; matching is case-sensitive.');
}
