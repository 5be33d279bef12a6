/** The few members that the benchmarks and the tests use; the package brings no types. */
declare module 'pg' {
  type Query = string | { readonly name?: string; readonly text: string; readonly values?: unknown[] };
  interface Result<Row> {
    readonly rows: readonly Row[];
  }
  interface Queryable {
    query<Row>(query: Query): Promise<Result<Row>>;
    end(): Promise<void>;
  }
  interface Client extends Queryable {
    connect(): Promise<void>;
    once(event: 'notification', listener: () => void): this;
  }
  const pg: {
    readonly Client: { new (url: string): Client; readonly prototype: Client };
    readonly types: {
      getTypeParser(oid: number): (value: string) => unknown;
      setTypeParser(oid: number, parse: (value: string) => unknown): void;
    };
    readonly Pool: new (options: { readonly connectionString: string; readonly max?: number }) => Queryable;
  };
  export default pg;
}
