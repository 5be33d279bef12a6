import { type TargetKind } from '../rule/targets.js';

/**
 * The columns that hold the targets of a session. A session has either a `sid` target or a `sidless` target, so both
 * stand in `target_sid`.
 */
export const TARGET_COLUMNS = {
  session: 'target_session',
  sid: 'target_sid',
  sidless: 'target_sid',
  sub: 'target_sub',
} as const satisfies Record<TargetKind, string>;

export type TargetColumn = (typeof TARGET_COLUMNS)[TargetKind];

/** Each of these columns once. */
export const ALL_TARGET_COLUMNS: readonly TargetColumn[] = [...new Set(Object.values(TARGET_COLUMNS))];

/** The columns that hold no target of this kind. */
export function columnsBeside(kind: TargetKind): TargetColumn[] {
  return ALL_TARGET_COLUMNS.filter((column) => column !== TARGET_COLUMNS[kind]);
}
