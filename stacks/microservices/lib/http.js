'use strict';
// Shared by auth and service: routes, JSON, health, and an orderly stop.

const http = require('node:http');

const PORT = 3000;
const MAX_BODY_BYTES = 4096;
// Other nodes and load balancers soon learn that this replica is stopping; until then it answers.
const DRAIN_MS = 3000;

const replica = `${process.env.REPLICA || 'replica'}@${process.env.NODE_NAME || 'unknown'}`;

/** An error response: its status and message. */
class HttpError extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** The JSON in a request's body. */
async function json(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new HttpError(413, `the body has more than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    throw new HttpError(400, 'the body is not JSON');
  }
}

/** The token of `Authorization: Bearer …`. */
function bearer(request) {
  const [scheme, token] = (request.headers.authorization || '').split(' ');
  if (scheme !== 'Bearer' || !token) throw new HttpError(401, 'a token is needed: Authorization: Bearer …');
  return token;
}

async function answer(routes, request) {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (pathname === '/healthz') return {};
  const path = pathname.replace(/(.)\/$/, '$1');
  const methods = Object.hasOwn(routes, path) ? routes[path] : null;
  if (!methods) throw new HttpError(404, `nothing is at ${pathname}`);
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  if (!Object.hasOwn(methods, method)) throw new HttpError(405, `${request.method} is not allowed here`);
  return methods[method](request);
}

/** Serve `routes`: path → method → function of the request; its result is sent as JSON. */
function serve(routes) {
  const server = http.createServer(async (request, response) => {
    let status = 200;
    let content;
    try {
      content = await answer(routes, request);
    } catch (error) {
      status = error instanceof HttpError ? error.status : 500;
      if (status === 500) console.error(`${request.method} ${request.url}: ${error.stack}`);
      content = { error: status === 500 ? 'internal error' : error.message };
    }
    const bytes = Buffer.from(`${JSON.stringify({ ...content, replica })}\n`);
    const headers = { 'Content-Type': 'application/json', 'Content-Length': bytes.length, 'Cache-Control': 'no-store' };
    if (status === 413) headers.Connection = 'close';
    response.writeHead(status, headers);
    response.end(request.method === 'HEAD' ? undefined : bytes);
  });
  server.requestTimeout = 10_000;
  const stop = (signal) => {
    console.log(`${replica}: ${signal}, leaving`);
    setTimeout(() => {
      server.close();
      server.closeIdleConnections();
    }, DRAIN_MS);
  };
  process.once('SIGTERM', () => stop('SIGTERM'));
  process.once('SIGINT', () => stop('SIGINT'));
  server.listen(PORT, () => console.log(`${replica}: listening on ${PORT}`));
}

module.exports = { HttpError, bearer, json, replica, serve };
