export type Answers = Readonly<Record<string, (argument: unknown) => unknown>>;

/** What `ServerProcess.start` was given. */
export function settings(): unknown {
  return JSON.parse(process.env['BENCH_SETTINGS'] ?? '');
}

/** Answers what `ServerProcess.ask` asks, from now on. @param url where the server listens */
export function answerQuestions(url: string, answers: Answers = {}): void {
  const all: Answers = { cpu: () => process.cpuUsage(), statements: () => 0, ...answers };
  process.on('message', (message: { readonly question: string; readonly argument?: unknown }) => {
    void Promise.resolve()
      .then(() => all[message.question]?.(message.argument))
      .then(
        (answer) => process.send?.({ answer }),
        (error: unknown) => process.send?.({ error: String(error) }),
      );
  });
  process.send?.(url);
}
