import { beforeEach, describe, expect, it } from '@jest/globals';
import { History, noViolations, type Status, type Trouble } from './support/history.js';

describe('the history of replicas', () => {
  let history: History;
  beforeEach(() => {
    history = new History();
    history.recorded = new Set(['alice']);
  });

  const asked = (session: string, sent: number, status: Status, replica = 0) =>
    history.requests.push({ replica, session, sent, answered: sent + 5, status });
  const told = (session: string, sent: number, status: Status) =>
    history.deliveries.push({ session, sent, answered: sent + 50, status });
  const cut: Trouble = { what: 'a cut', replicas: [1], permits: 503, recoveryMs: 100, began: 200, ended: 300 };

  /** Alice logs out, and Bob stays signed in. */
  function good(): void {
    asked('alice', 0, 200);
    told('alice', 100, 503);
    asked('alice', 120, 401);
    told('alice', 200, 200);
    // OneID has no 200 yet
    asked('alice', 245, 200);
    asked('alice', 260, 401);
    asked('bob', 300, 200, 1);
  }

  it('has no violations when the promises are kept', () => {
    good();
    expect(history.violations()).toEqual(noViolations);
  });

  it('reports a request that was let in after the 200, and the trouble at that time', () => {
    good();
    history.troubles.push(cut);
    history.requests.unshift({ replica: 2, session: 'alice', sent: 262, answered: 263, status: 200 });
    expect(history.violations()).toEqual({
      ...noViolations,
      letIn: ['replica 2, session alice, during "a cut": let in 12 ms after OneID had its 200'],
    });
  });

  it('counts from the first 200 and from the sending of a request', () => {
    good();
    told('alice', 500, 200);
    history.requests.unshift({ replica: 0, session: 'alice', sent: 251, answered: 252, status: 200 });
    history.requests.unshift({ replica: 0, session: 'alice', sent: 249, answered: 900, status: 200 });
    expect(history.violations().letIn).toEqual(['replica 0, session alice: let in 1 ms after OneID had its 200']);
  });

  describe('reports a lost logout:', () => {
    it('that is not in the database', () => {
      good();
      history.recorded = new Set(['bob']);
      expect(history.violations()).toEqual({
        ...noViolations,
        lost: ['the logout of alice is not in the database'],
      });
    });

    it('that was answered 400', () => {
      good();
      told('carol', 300, 400);
      expect(history.violations().lost).toEqual(["the logout of carol was answered 400: OneID won't send it again"]);
    });

    it('whose session no replica has refused', () => {
      told('alice', 100, 200);
      expect(history.violations().lost).toEqual(['no request for alice after its logout']);
      asked('alice', 160, 401);
      asked('alice', 170, 503);
      expect(history.violations().lost).toEqual(['replica 0, session alice: the last answer was 503']);
    });
  });

  describe('reports a session that was refused too early:', () => {
    it("another user's session, or a session before its logout", () => {
      good();
      asked('bob', 500, 401);
      history.requests.unshift({ replica: 3, session: 'alice', sent: 90, answered: 99, status: 401 });
      expect(history.violations()).toEqual({
        ...noViolations,
        refused: ['replica 3, session alice: answered 401', 'replica 0, session bob: answered 401'],
      });
    });

    it('a failure that the current trouble does not permit', () => {
      good();
      history.troubles.push(cut);
      for (const sent of [199, 250, 400]) asked('bob', sent, 503, 1);
      expect(history.violations().refused).toEqual([]);
      asked('bob', 401, 503, 1);
      asked('bob', 250, 503, 0);
      asked('bob', 250, 500, 1);
      asked('bob', 250, 'no answer', 1);
      asked('bob', 190, 503, 1);
      expect(history.violations().refused).toEqual([
        'replica 1, session bob: answered 503',
        'replica 0, session bob, during "a cut": answered 503',
        'replica 1, session bob, during "a cut": answered 500',
        'replica 1, session bob, during "a cut": answered no answer',
        'replica 1, session bob: answered 503',
      ]);
    });
  });

  it('reports a session that is idle, also one that OneID has logged out', () => {
    good();
    asked('bob', 500, 'idle');
    asked('alice', 510, 'idle');
    expect(history.violations()).toEqual({
      ...noViolations,
      lost: ['replica 0, session alice: the last answer was idle'],
      refused: ['replica 0, session bob: answered idle', 'replica 0, session alice: answered idle'],
    });
  });

  describe('an outage that ends sessions', () => {
    const signedIn = (session: string, sent: number) => history.signIns.push({ session, sent, answered: sent + 5 });
    beforeEach(() => {
      history.troubles.push({ ...cut, what: 'an outage', endsSessions: true, recoveryMs: Infinity });
    });

    it('the sessions of before are refused as unconfirmed, and those of later are not', () => {
      signedIn('bob', 100);
      signedIn('carol', 301);
      asked('bob', 190, 200);
      asked('bob', 300, 'unconfirmed');
      asked('carol', 310, 200, 1);
      expect(history.violations()).toEqual(noViolations);
      asked('carol', 320, 'unconfirmed');
      asked('bob', 190, 'unconfirmed');
      expect(history.violations().refused).toEqual([
        'replica 0, session carol: answered unconfirmed',
        'replica 0, session bob: answered unconfirmed',
      ]);
    });

    it('a session of before is let in afterwards', () => {
      signedIn('bob', 100);
      asked('bob', 303, 200, 1);
      asked('bob', 299, 200, 1);
      expect(history.violations().letIn).toEqual(['replica 1, session bob: let in 3 ms after: an outage']);
    });

    it('the reason of a session that OneID has logged out is the logout', () => {
      signedIn('alice', 10);
      told('alice', 400, 200);
      asked('alice', 460, 'unconfirmed');
      expect(history.violations().lost).toEqual(['replica 0, session alice: the last answer was unconfirmed']);
    });

    it('a trouble that ends no session permits no unconfirmed', () => {
      history.troubles.splice(0, 1, cut);
      signedIn('bob', 100);
      asked('bob', 250, 'unconfirmed', 1);
      expect(history.violations().refused).toEqual(['replica 1, session bob, during "a cut": answered unconfirmed']);
    });
  });

  describe('an end that the app has caused itself', () => {
    const signedIn = (session: string, sent: number) => history.signIns.push({ session, sent, answered: sent + 5 });
    beforeEach(() => {
      signedIn('bob', 100);
      signedIn('carol', 310);
    });

    it('of everyone: the sessions of before are refused, within the staleness, and those of later are not', () => {
      history.ownEnds.push({ what: 'the end of everyone', sent: 200, answered: 300, withinMs: 50 });
      asked('bob', 190, 200);
      asked('bob', 250, 401);
      asked('bob', 350, 200);
      asked('bob', 351, 401);
      asked('carol', 400, 200);
      expect(history.violations()).toEqual(noViolations);
      asked('bob', 351, 200, 1);
      asked('bob', 190, 401);
      asked('carol', 400, 401);
      expect(history.violations()).toEqual({
        ...noViolations,
        letIn: ['replica 1, session bob: let in 51 ms after: the end of everyone'],
        refused: ['replica 0, session bob: answered 401', 'replica 0, session carol: answered 401'],
      });
    });

    it('of one user: other sessions are not refused', () => {
      const sessions = new Set(['bob']);
      history.ownEnds.push({ what: 'the erasure of bob', sessions, sent: 400, answered: 450, withinMs: 0 });
      asked('bob', 400, 401);
      asked('bob', 450, 200);
      asked('carol', 460, 200);
      expect(history.violations()).toEqual(noViolations);
      asked('bob', 451, 200);
      asked('carol', 460, 401);
      expect(history.violations()).toEqual({
        ...noViolations,
        letIn: ['replica 0, session bob: let in 1 ms after: the erasure of bob'],
        refused: ['replica 0, session carol: answered 401'],
      });
    });
  });

  describe('a limit of idleness', () => {
    beforeEach(() => {
      history = new History(1_000);
      history.signIns.push({ session: 'bob', sent: 0, answered: 10 });
    });

    it('has no violations when the session ends within the last two twentieths', () => {
      for (const sent of [500, 1_400, 2_405]) asked('bob', sent, 200);
      asked('bob', 3_300, 'idle');
      asked('bob', 9_000, 'idle', 1);
      expect(history.violations()).toEqual(noViolations);
    });

    it('reports a session that lives longer, counted from the answer of its last use', () => {
      asked('bob', 1_010, 200);
      asked('bob', 2_015, 200);
      expect(history.violations()).toEqual(noViolations);
      asked('bob', 3_021, 200, 2);
      expect(history.violations().letIn).toEqual(['replica 2, session bob: let in, unused for 1001 ms']);
    });

    it('reports a session that ends more than two twentieths early, counted from the sending of its last use', () => {
      asked('bob', 500, 200);
      asked('bob', 1_394, 'idle');
      expect(history.violations()).toEqual({
        ...noViolations,
        refused: ['replica 0, session bob: idle, unused for 899 ms'],
      });
    });

    it('reports a session that comes back', () => {
      asked('bob', 996, 'idle');
      asked('bob', 1_001, 200);
      expect(history.violations()).toEqual(noViolations);
      asked('bob', 1_005, 200, 1);
      expect(history.violations().letIn).toEqual(['replica 1, session bob: let in 4 ms after it was idle']);
    });
  });

  describe('reports a replica that does not recover:', () => {
    beforeEach(() => {
      history.troubles.push(cut);
    });

    it('in time', () => {
      asked('bob', 250, 200, 1);
      asked('bob', 300, 503, 1);
      asked('bob', 399, 200, 1);
      expect(history.violations()).toEqual({
        ...noViolations,
        late: ['replica 1 took 104 ms to recover from: a cut'],
      });
      asked('bob', 390, 200, 1);
      expect(history.violations()).toEqual(noViolations);
    });

    it('at all', () => {
      asked('bob', 310, 200, 0);
      expect(history.violations().late).toEqual(['replica 1 took Infinity ms to recover from: a cut']);
    });
  });
});
