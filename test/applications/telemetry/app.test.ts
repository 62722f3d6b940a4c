import path from 'node:path';
import { expect } from 'chai';
import { make_password, UserTable } from 'koa-django-session';
import { type ApplicationDatabase, applicationDatabase } from '../support/database.js';
import { type Program, start } from '../support/program.js';
import { Visitor } from '../support/visitor.js';

interface Span {
  readonly by: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly status: { readonly code: number };
}

const SECRET_KEY = 'the key that no span may hold';

describe("OpenTelemetry's instrumentation of pg and knex", () => {
  let database: ApplicationDatabase;
  let program: Program;
  let encoded: string;
  before(async () => {
    database = await applicationDatabase();
    encoded = await make_password('white rabbit');
    await new UserTable(database.knex).create_user({ username: 'alice', password: encoded });
    const files = ['instrument.mjs', 'app.mjs'].map((name) => path.join(import.meta.dirname, name));
    program = await start(['--import', ...files], { DATABASE_URL: database.url, SECRET_KEY });
  });
  after(async () => {
    await program?.stop();
    await database.drop();
  });

  const spans = (): Span[] =>
    program
      .errors()
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Span);

  it('leaves the sessions as they are, sees their statements, and nothing that is secret', async () => {
    const visitor = new Visitor(program);
    expect((await visitor.get('/login')).text).to.equal('alice 1');
    expect((await visitor.get('/')).text).to.equal('alice 2');

    const statements = spans().map(({ attributes }) =>
      String(attributes['db.statement'] ?? attributes['db.query.text']),
    );
    for (const part of ['FROM django_session', 'INSERT INTO django_session', 'UPDATE django_session', '"auth_user"']) {
      expect(
        statements.filter((text) => text.includes(part)),
        part,
      ).not.to.deep.equal([]);
    }
    expect(spans().filter(({ status }) => status.code === 2)).to.deep.equal([]);
    expect(new Set(spans().map(({ by }) => by.replace('@opentelemetry/instrumentation-', '')))).to.include('pg');

    const [row] = await database.knex('django_session').select('session_data', 'session_key');
    const told = program.errors();
    const password = new URL(database.url).password;
    for (const secret of [row.session_key, row.session_data, encoded, SECRET_KEY, password]) {
      expect(told.includes(secret), secret).to.equal(false);
    }
  });
});
