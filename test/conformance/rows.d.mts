/** The rules of the specifications, by their ids, in sections. */
export declare const rows: readonly {
  readonly title: string;
  readonly text?: readonly string[];
  readonly rows: Readonly<Record<string, string>>;
}[];
