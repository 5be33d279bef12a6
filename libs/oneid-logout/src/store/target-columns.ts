import { type EveryoneTargetKind, type OwnTargetKind, type TargetKind } from '../rule/targets.js';

/**
 * The columns that hold the targets of a session, without those of everyone. A session has either a `sid` target or a `sidless` target, so both
 * stand in `target_sid`.
 */
export const TARGET_COLUMNS = {
  session: 'target_session',
  sid: 'target_sid',
  sidless: 'target_sid',
  sub: 'target_sub',
} as const satisfies Record<OwnTargetKind, string>;

export type TargetColumn = (typeof TARGET_COLUMNS)[OwnTargetKind];

/** Each of these columns once. */
export const ALL_TARGET_COLUMNS: readonly TargetColumn[] = [...new Set(Object.values(TARGET_COLUMNS))];

/** The columns that hold no target of this kind. */
export function columnsBeside(kind: OwnTargetKind): TargetColumn[] {
  return ALL_TARGET_COLUMNS.filter((column) => column !== TARGET_COLUMNS[kind]);
}

/** Does a target of this kind name everyone? No column of a session holds such a target. */
export function isEveryoneKind(kind: TargetKind): kind is EveryoneTargetKind {
  return kind === 'issuer' || kind === 'client';
}
