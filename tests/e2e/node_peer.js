// An HTTPS server or client with Node.js, which has TLS over memory. What they say and are told is in tls_peers.py.
//
//     node_peer.js 1|2 server IP PORT CERT KEY
//     node_peer.js 1|2 client IP PORT LOCAL_PORT...
//
// 1 and 2 are HTTP's versions.
'use strict';
const fs = require('fs'), http2 = require('http2'), https = require('https'), readline = require('readline');
const once = require('events').once, tls = require('tls');

const [version, role, ip, port, ...rest] = process.argv.slice(2);

function serve(cert, key) {
  const create = version === '2' ? http2.createSecureServer : https.createServer;
  const server = create({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, (request, response) => {
    response.statusCode = request.url.endsWith('/gone') ? 404 : 200;
    response.end('ok');
  });
  server.keepAliveTimeout = 0;
  server.listen(Number(port), ip, () => console.log('ready'));
}

// Connections, each a function that asks, with a function that ends it.

async function overHttp1(local) {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
  const ask = async (method, path) => {
    const request = https.request({ host: ip, port, method, path, localPort: Number(local), agent }).end();
    const [response] = await once(request, 'response');
    await once(response.resume(), 'end');
  };
  return { ask, end: () => agent.destroy() };
}

async function overHttp2(local) {
  const socket = tls.connect({ host: ip, port, localPort: Number(local), ALPNProtocols: ['h2'], rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const session = http2.connect(`https://${ip}:${port}`, { createConnection: () => socket });
  const ask = (method, path) => once(session.request({ ':method': method, ':path': path }).resume(), 'end');
  return { ask, end: () => session.close() };
}

async function ask(...localPorts) {
  const connections = await Promise.all(localPorts.map(version === '2' ? overHttp2 : overHttp1));
  console.log('ready');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [method, end] = line.split(' ');
    await Promise.all(connections.map((connection, i) => connection.ask(method, `/${localPorts[i]}/${end}`)));
    console.log('ready');
  }
  for (const connection of connections) connection.end();
}

(role === 'server' ? serve : ask)(...rest);
