/**
 * How far the database's clock and this host's clock may differ, milliseconds, for work that a wrong clock would make
 * dangerous: a purge, or a logout of everyone.
 */
export const MAX_CLOCK_DIFFERENCE = 60_000;
