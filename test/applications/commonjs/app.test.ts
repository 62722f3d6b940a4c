import path from 'node:path';
import { expect } from 'chai';
import { type ApplicationDatabase, emptyDatabase } from '../support/database.js';
import { type Program, start } from '../support/program.js';
import { Visitor } from '../support/visitor.js';

describe('an application in CommonJS', () => {
  let database: ApplicationDatabase;
  let program: Program;
  before(async () => {
    database = await emptyDatabase();
    program = await start([path.join(import.meta.dirname, 'app.cjs')], { DATABASE_URL: database.url });
  });
  after(async () => {
    await program?.stop();
    await database.drop();
  });

  it('requires the package and counts visits', async () => {
    const visitor = await Visitor.returning(program);
    expect((await visitor.get('/')).text).to.equal('2');
    expect(await database.sessions()).to.equal(1);
  });
});
