import { beginOfFault, endOfFault, type Fault, type FaultKind } from './plan.js';

type FaultOf<Kind extends FaultKind> = Extract<Fault, { readonly kind: Kind }>;

/** Answers which faults hold at a time of the run. */
export class FaultTimes {
  private readonly byKind = new Map<FaultKind, Fault[]>();

  constructor(readonly all: readonly Fault[]) {
    for (const fault of all) this.byKind.set(fault.kind, [...(this.byKind.get(fault.kind) ?? []), fault]);
  }

  of<Kind extends FaultKind>(kind: Kind): FaultOf<Kind>[] {
    return (this.byKind.get(kind) ?? []) as FaultOf<Kind>[];
  }

  at<Kind extends FaultKind>(kind: Kind, time: number): FaultOf<Kind> | undefined {
    return this.of(kind).find((fault) => beginOfFault(fault) <= time && time < endOfFault(fault));
  }

  /** The faults that hold at some time between these two. */
  between(from: number, to: number): Fault[] {
    return this.all.filter((fault) => beginOfFault(fault) <= to && endOfFault(fault) >= from);
  }

  /** The fault that keeps a replica from its database. */
  cutOf(replica: number, time: number): FaultOf<'cut'> | FaultOf<'databaseDown'> | undefined {
    const cut = this.of('cut').find((fault) => fault.replica === replica && fault.from <= time && time < fault.to);
    return cut ?? this.at('databaseDown', time);
  }
}
