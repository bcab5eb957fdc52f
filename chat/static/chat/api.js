// Tokens and REST. The session lives in sessionStorage: it ends with the tab, and no other tab reads it.

const KEY = "chat.session";
const MARGIN_MS = 30_000;

/** The refresh token is no longer good: only logging in again helps. */
export class SessionEnded extends Error {}

export class RequestFailed extends Error {
  constructor(status) {
    super(`status ${status}`);
    this.status = status;
  }
}

export function claims(token) {
  const part = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
  return JSON.parse(atob(part));
}

/** When to stop using a token, by this device's clock, which may differ from the server's. */
export function goodUntil(token, now = Date.now()) {
  const { exp, iat } = claims(token);
  return now + (exp - iat) * 1000;
}

export class Api {
  #renewing = null;

  constructor(urls, storage = sessionStorage) {
    this.urls = urls;
    this.storage = storage;
  }

  get session() {
    return JSON.parse(this.storage.getItem(KEY) ?? "null");
  }

  #keep(tokens, name) {
    const { user_id: owner } = claims(tokens.access);
    const session = { ...tokens, name, owner: String(owner), until: goodUntil(tokens.access) };
    this.storage.setItem(KEY, JSON.stringify(session));
    return session;
  }

  forget() {
    this.storage.removeItem(KEY);
  }

  async logIn(username, password) {
    return this.#keep(await this.#post(this.urls.tokenUrl, { username, password }), username);
  }

  /** Refresh tokens rotate and can be used once, so everybody who needs a new one shares one request. */
  renew() {
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  async #renew() {
    const session = this.session;
    if (!session) throw new SessionEnded();
    try {
      const tokens = await this.#post(this.urls.refreshUrl, { refresh: session.refresh });
      return this.#keep({ refresh: session.refresh, ...tokens }, session.name);
    } catch (error) {
      if (error instanceof RequestFailed && [400, 401, 403].includes(error.status)) throw new SessionEnded();
      throw error;
    }
  }

  /** An access token that is good for a while yet. */
  async access() {
    const session = this.session;
    if (!session) throw new SessionEnded();
    return (session.until - Date.now() > MARGIN_MS ? session : await this.renew()).access;
  }

  async get(url) {
    const first = await this.#fetch(url, { headers: { Authorization: `Bearer ${await this.access()}` } });
    if (first.status !== 401) return this.#read(first);
    const { access } = await this.renew();
    return this.#read(await this.#fetch(url, { headers: { Authorization: `Bearer ${access}` } }));
  }

  /** The device forgets at once; telling the server may fail without harm, the token ends by itself. */
  async logOut() {
    const session = this.session;
    this.forget();
    if (session) await this.#post(this.urls.blacklistUrl, { refresh: session.refresh }).catch(() => {});
  }

  async #post(url, body) {
    const headers = { "Content-Type": "application/json" };
    return this.#read(await this.#fetch(url, { method: "POST", headers, body: JSON.stringify(body) }));
  }

  #fetch(url, options) {
    return fetch(url, { ...options, cache: "no-store", credentials: "omit" });
  }

  async #read(response) {
    if (!response.ok) throw new RequestFailed(response.status);
    return response.status === 204 ? {} : response.json();
  }
}
