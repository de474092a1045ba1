// The yardstick: a bare node:http server in a process of its own. Started by benches/processes.ts; tells its port to its parent.
import { createServer } from 'node:http';

const body = 'hello';
const server = createServer((_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length });
  response.end(body);
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  process.send?.({ port: address.port });
});
process.on('disconnect', () => process.exit(0));
