/** A search of a model: its file, and the macros with which spin reads it. */
interface Search {
  readonly file: string;
  readonly macros: Readonly<Record<string, number | string>>;
}

export declare const proofs: readonly (Search & { readonly name: string; readonly visits: number })[];

export declare const removals: Readonly<
  Record<string, Search & { readonly assumption?: string; readonly shorterOverlap?: number }>
>;

export declare const steps: Readonly<Record<'few' | 'all', Search['macros']>>;
