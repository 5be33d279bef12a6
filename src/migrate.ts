import { CommandError, runCommand } from './command.js';

/** Runs the library's migrations on `DATABASE_URL`, for deployments that do not migrate at boot. */
await runCommand(async (opened) => {
  // imported here, so that `runCommand` catches a SettingsError and prints its message
  const { default: dataSource } = await import('../ormconfig.js');
  await dataSource.initialize().catch((cause: unknown) => {
    throw new CommandError(
      `The command can't open the database of DATABASE_URL: ${messageOf(cause)}. Check that the database is running and that the URL is right`,
      { cause },
    );
  });
  opened.add(() => dataSource.destroy());
  const migrations = await dataSource.runMigrations({ transaction: 'each' }).catch((cause: unknown) => {
    throw new CommandError(
      `The command can't migrate the database of DATABASE_URL: ${messageOf(cause)}. Check the rights of the database role`,
      { cause },
    );
  });
  if (migrations.length === 0) console.log('No migrations are pending');
  for (const { name } of migrations) console.log(`Migration ${name} has been executed successfully`);
  return 'done';
});

function messageOf(cause: unknown): string {
  if (cause instanceof AggregateError) return [...new Set(cause.errors.map(messageOf))].join('; ');
  return cause instanceof Error ? cause.message : String(cause);
}
