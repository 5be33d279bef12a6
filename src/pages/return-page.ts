/** The pages to which a sign-in may return. Any site can link to `/login`, so it can choose only among these. */
const PAGES = ['/', '/account'] as const;

export type ReturnPage = (typeof PAGES)[number];

/** @returns the home page when the value names none of the pages */
export function returnPageOf(value: string | null | undefined): ReturnPage {
  return PAGES.find((page) => page === value) ?? '/';
}

/** The URL that signs a user in and then shows this page again. */
export function signInUrl(page: string): string {
  const returnTo = returnPageOf(page);
  return returnTo === '/' ? '/login' : `/login?${new URLSearchParams({ returnTo }).toString()}`;
}
