// An Express app with one page, and express-openid-connect before it as its settings say.
import express, { type ErrorRequestHandler } from 'express';
import openidConnect, { type ConfigParams } from 'express-openid-connect';
import { type LogoutStore, openStore, type StoreKind } from './logout-store.js';
import { answerQuestions, settings } from './questions.js';

export interface ExpressSettings {
  readonly issuer: string;
  readonly clientId: string;
  readonly secret: string;
  /** `none`: Express alone. `session`: a request needs a session. A store: the session must not be logged out, too. */
  readonly check: 'none' | 'session' | StoreKind;
}

const { issuer, clientId, secret, check } = settings() as ExpressSettings;
const app = express();
if (check !== 'none') {
  const config: ConfigParams = {
    ...{ issuerBaseURL: issuer, baseURL: 'http://127.0.0.1', clientID: clientId, secret },
    ...{ authRequired: false, errorOnRequiredAuth: true, idTokenSigningAlg: 'RS256' },
    ...{ authorizationParams: { response_type: 'code' }, clientSecret: secret },
    ...(check !== 'session' && { backchannelLogout: { store: storeOf(await openStore(check)) } }),
  };
  app.use(openidConnect.auth(config));
  app.get('/page', openidConnect.requiresAuth());
}
app.get('/page', (_request, response) => {
  response.json({ hello: 'world' });
});
// without this Express writes down every refusal
const refuse: ErrorRequestHandler = (error: { readonly status?: number }, _request, response, next) => {
  if (response.headersSent) next(error);
  else response.status(error.status ?? 500).end();
};
app.use(refuse);
const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  answerQuestions(`http://127.0.0.1:${address.port}`);
});

type BackchannelStore = NonNullable<Exclude<ConfigParams['backchannelLogout'], boolean | undefined>['store']>;

function storeOf(store: LogoutStore): BackchannelStore {
  return store as unknown as BackchannelStore;
}
