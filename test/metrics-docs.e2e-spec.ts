import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  ATTRIBUTES,
  type CheckResult,
  INSTRUMENTS,
  type LogoutResult,
} from '../libs/oneid-logout/src/measures/instruments.js';
import { type LogoutChannel } from '../libs/oneid-logout/src/rule/logout.js';

const read = (name: string) => readFileSync(join(import.meta.dirname, '../docs', name), 'utf8');
const [metrics, health, rules] = [read('metrics.md'), read('health-and-alerts.md'), read('oneid-logout.rules.yml')];

const CHECK_RESULTS: Record<CheckResult, true> = {
  ...{
    alive: true,
    logged_out: true,
    unconfirmed: true,
    expired: true,
    idle: true,
    unknown: true,
    missing: true,
    ambiguous: true,
    failed: true,
  },
};
const LOGOUT_RESULTS: Record<LogoutResult, true> = {
  ...{ matched: true, unmatched: true, recorded: true, repeated: true, refused: true, failed: true, missing: true },
};
const CHANNELS: Record<LogoutChannel, true> = {
  ...{ backchannel: true, frontchannel: true, app: true, admin: true, idle: true, replaced: true, unconfirmed: true },
};

/** A name as Prometheus shows it. */
const prometheus = (name: string) => name.replaceAll('.', '_');

/** All names under which Prometheus shows the metrics. */
const series = new Set(
  Object.values(INSTRUMENTS).flatMap(({ name, kind, unit }) => {
    const base = `${prometheus(name)}${unit === 's' ? '_seconds' : ''}`;
    if (kind === 'histogram') return ['bucket', 'count', 'sum'].map((suffix) => `${base}_${suffix}`);
    return [kind === 'counter' ? `${base}_total` : base];
  }),
);

/** The values of each label that a rule may compare with. */
const labels = new Map<string, readonly string[]>([
  [prometheus(ATTRIBUTES.checkResult), Object.keys(CHECK_RESULTS)],
  [prometheus(ATTRIBUTES.logoutResult), Object.keys(LOGOUT_RESULTS)],
  [prometheus(ATTRIBUTES.channel), Object.keys(CHANNELS)],
  [prometheus(ATTRIBUTES.pendingState), ['unrecorded', 'undecided']],
]);

/** The names and label values in the rules that no metric has. */
function unknownIn(text: string): string[] {
  const names = [...text.matchAll(/\boneid_logout_\w+/g)].map(([name]) => name);
  const values = [...text.matchAll(/\b(\w+)=~?"([^"]*)"/g)].flatMap(([, label = '', value = '']) =>
    value.split('|').map((one) => [label, one] as const),
  );
  return [
    ...names.filter((name) => !series.has(name) && !labels.has(name)),
    ...values.filter(([label, value]) => labels.get(label)?.includes(value) !== true).map((pair) => pair.join('=')),
  ];
}

const alerts = [...rules.matchAll(/- alert: (\w+)\n/g)].map(([, name]) => name);

describe('docs/metrics.md', () => {
  it('lists the metrics that the library has, with kind and unit', () => {
    const rows = metrics.matchAll(/^\| `(oneid_logout\.[\w.]+)` +\| (\w+) +\| `(.+?)` +\|/gm);
    expect([...rows].map(([, name, kind, unit]) => ({ name, kind, unit }))).toEqual(
      Object.values(INSTRUMENTS).map(({ name, kind, unit }) => ({ name, kind, unit })),
    );
  });

  it('says what each metric and each attribute is', () => {
    const names = [...Object.values(INSTRUMENTS).map(({ name }) => `- **\`${name}\`**:`), ...Object.values(ATTRIBUTES)];
    expect(names.filter((name) => !metrics.includes(name))).toEqual([]);
  });

  it('lists the values of the attributes', () => {
    const values = [CHECK_RESULTS, LOGOUT_RESULTS, CHANNELS].flatMap((each) => Object.keys(each));
    expect(values.filter((value) => !metrics.includes(`\`${value}\``))).toEqual([]);
  });
});

describe('docs/oneid-logout.rules.yml', () => {
  it('uses only metrics and labels that the library has', () => {
    expect(alerts.length).toBeGreaterThan(5);
    expect(unknownIn(rules)).toEqual([]);
  });

  it('control: another name, another label value are found', () => {
    const changed = rules
      .replace('oneid_logout_replica_staleness_seconds', 'oneid_logout_replica_staleness')
      .replace('"refused"', '"rejected"');
    expect(unknownIn(changed)).toEqual(['oneid_logout_replica_staleness', 'oneid_logout_logout_result=rejected']);
  });

  it('a rule that waits for 0 also fires when no replica has the series, as after a deploy', () => {
    const zero = rules.split('- alert:').filter((rule) => rule.includes('== 0'));
    expect(zero.map((rule) => /^ (\w+)/.exec(rule)?.[1])).toEqual(['OneIdLogoutsStopped']);
    expect(zero.filter((rule) => !rule.includes('or vector(0)) == 0'))).toEqual([]);
  });

  it('the logouts that wait are counted for each replica, because only the same replica may be late', () => {
    expect(rules).toContain('max by (instance, oneid_logout_logout_state) (oneid_logout_logout_pending) > 0');
  });

  it('has a row and a reason on the page for each alert', () => {
    const rows = [...health.matchAll(/^\| `(OneId\w+)`/gm)].map(([, name]) => name);
    const reasons = [...health.matchAll(/^- \*\*`(OneId\w+)`\*\*/gm)].map(([, name]) => name);
    expect([rows.sort(), reasons.sort()]).toEqual([alerts.toSorted(), alerts.toSorted()]);
  });

  it('has an alert on each metric', () => {
    const unused = Object.values(INSTRUMENTS).filter(({ name }) => !rules.includes(prometheus(name)));
    expect(unused.map(({ name }) => name)).toEqual([]);
  });

  it('metrics that vanish are noticed by the number of connections, which every running replica shows', () => {
    expect(rules).toMatch(/- alert: OneIdMetricsAbsent\n +expr: absent\(oneid_logout_connection_count\)\n +for: 15m\n/);
  });
});
