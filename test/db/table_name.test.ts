import { expect } from 'chai';
import { quoteTable } from '../../server/db/session_table.js';
import { splitTableName, tableNameText } from '../../server/db/table_name.js';

describe('the name of a table', () => {
  for (const [text, name] of [
    ['people', { table: 'people' }],
    ['Staff Members', { table: 'Staff Members' }],
    ['crm.people', { schema: 'crm', table: 'people' }],
    ['"my.people"', { table: 'my.people' }],
    ['"my crm"."my.people"', { schema: 'my crm', table: 'my.people' }],
    ['"a ""b"""', { table: 'a "b"' }],
  ] as const) {
    it(`is read from ${text}`, () => {
      expect(splitTableName(text)).to.deep.equal(name);
      expect(splitTableName(tableNameText(name))).to.deep.equal(name);
    });
  }

  it('may have its schema as in a db_table around which Django puts quotes', () => {
    expect(splitTableName('crm"."people')).to.deep.equal({ schema: 'crm', table: 'people' });
  });

  it('has its schema before the first dot', () => {
    expect(splitTableName('crm.my.people')).to.deep.equal({ schema: 'crm', table: 'my.people' });
    expect(quoteTable('crm.my.people')).to.equal('"crm"."my.people"');
  });

  it('is quoted for statements, each part by itself', () => {
    expect(quoteTable('"my.sessions"')).to.equal('"my.sessions"');
    expect(quoteTable('Crm.Sessions')).to.equal('"Crm"."Sessions"');
  });
});
