import { describe, expect, it } from '@jest/globals';
import { everyoneIdOf, idOfFact, isOfEveryone, reasonOfEnd } from './logout.js';

const logout = { id: 'jti-1', target: 'target-1' };

describe('idOfFact', () => {
  it('BC-13: the same id, target and bound are the same fact', () => {
    expect(idOfFact({ ...logout })).toBe(idOfFact({ ...logout, bound: undefined }));
    expect(idOfFact({ ...logout, bound: { issuedUntil: 1 } })).toBe(idOfFact({ ...logout, bound: { issuedUntil: 1 } }));
  });

  it('BC-13: another id, target, bound or kind of bound is another fact', () => {
    const facts = [
      logout,
      { ...logout, id: 'jti-2' },
      { ...logout, target: 'target-2' },
      { ...logout, bound: { issuedUntil: 1 } },
      { ...logout, bound: { issuedUntil: 2 } },
      { ...logout, bound: { authenticatedUntil: 1 } },
    ];
    expect(new Set(facts.map(idOfFact)).size).toBe(facts.length);
  });

  it('BC-13: the bound that the database raises does not count', () => {
    expect(idOfFact({ ...logout, bound: { registeredUntil: 1 } })).toBe(idOfFact(logout));
  });
});

describe('everyoneIdOf', () => {
  it('makes one id of a key, as long as other ids, by which the store knows logouts of everyone', () => {
    const [one, other] = [everyoneIdOf('one'), everyoneIdOf('other')];
    expect(one).toMatch(/^everyone[\da-f]{56}$/);
    expect([everyoneIdOf('one') === one, other === one]).toEqual([true, false]);
    expect([isOfEveryone({ id: one }), isOfEveryone({ id: 'jti-1' }), isOfEveryone({ id: `x${one}` })]).toEqual([
      ...[true, false, false],
    ]);
  });
});

describe('reasonOfEnd', () => {
  it('tells the idle and the unconfirmed from all other channels', () => {
    expect((['idle', 'unconfirmed', 'backchannel', 'frontchannel', 'admin'] as const).map(reasonOfEnd)).toEqual([
      ...['idle', 'unconfirmed', 'logged_out', 'logged_out', 'logged_out'],
    ]);
  });
});
