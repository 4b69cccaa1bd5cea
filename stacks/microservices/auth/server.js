'use strict';
// auth: issues tokens and returns their user.
//   GET  /auth         which replica answered
//   POST /auth/login   {"user": "…"} → {"token": "…"}
//   GET  /auth/whoami  with Authorization: Bearer <token> → {"user": "…"}
// It asks for no password: it shows how the services work together, not how to manage accounts.
// Tokens are signed with a key that all replicas share, so any of them can check any token.

const crypto = require('node:crypto');
const fs = require('node:fs');
const { HttpError, bearer, json, serve } = require('./http.js');

const MAX_USER_LENGTH = 40;
const SECONDS = Number(process.env.TOKEN_SECONDS || 600);
const key = fs.readFileSync(process.env.KEY_FILE || '/run/secrets/auth_key');
if (key.length < 16) throw new Error('the key is shorter than 16 bytes');

const signature = (text) => crypto.createHmac('sha256', key).update(text).digest('base64url');

function issue(user) {
  const claims = Buffer.from(JSON.stringify({ user, until: Date.now() + SECONDS * 1000 })).toString('base64url');
  return `${claims}.${signature(claims)}`;
}

function verified(token) {
  const [claims, given] = token.split('.');
  const wanted = Buffer.from(signature(claims));
  const found = Buffer.from(given || '');
  if (wanted.length !== found.length || !crypto.timingSafeEqual(wanted, found)) {
    throw new HttpError(401, 'the token is not one of ours');
  }
  const { user, until } = JSON.parse(Buffer.from(claims, 'base64url'));
  if (Date.now() > until) throw new HttpError(401, 'the token has expired');
  return { user };
}

serve({
  '/auth': { GET: async () => ({ service: 'auth' }) },
  '/auth/login': {
    POST: async (request) => {
      const given = await json(request);
      const user = given && given.user;
      if (typeof user !== 'string' || user.trim() === '' || user.length > MAX_USER_LENGTH) {
        throw new HttpError(400, `"user" must be a string of 1 to ${MAX_USER_LENGTH} characters`);
      }
      return { token: issue(user.trim()), seconds: SECONDS };
    },
  },
  '/auth/whoami': { GET: async (request) => verified(bearer(request)) },
});
