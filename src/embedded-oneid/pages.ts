const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text as it may stand in HTML, in an attribute too. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character);
}

export function page(title: string, body: string, head = ''): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 24rem; margin: 4rem auto; padding: 0 1rem; }
label { display: block; margin: 1rem 0; }
iframe { position: absolute; width: 0; height: 0; border: 0; }
</style>
${head}
</head>
<body>
<h1>${escapeHtml(title)}</h1>
${body}
</body>
</html>
`;
}

export function errorPage(code: string, description = ''): string {
  return page('OneID: an error', `<p><code>${escapeHtml(code)}</code></p>\n<p>${escapeHtml(description)}</p>`);
}

export function loginPage(username: string, password: string, message = ''): string {
  return page(
    'Sign in with OneID',
    `<p>This is a demo of OneID, run by this app on your own machine.</p>
<p role="alert">${escapeHtml(message)}</p>
<form method="post">
<label>Username <input name="username" value="${escapeHtml(username)}" autocomplete="username"></label>
<label>Password <input name="password" type="password" value="${escapeHtml(password)}" autocomplete="off"></label>
<button>Sign in</button>
</form>`,
  );
}

export function confirmLogoutPage(action: string, challenge: string): string {
  return page(
    'Do you want to log out?',
    `<form method="post" action="${escapeHtml(action)}">
<input type="hidden" name="challenge" value="${escapeHtml(challenge)}">
<button name="answer" value="yes">Yes</button>
<button name="answer" value="no">No</button>
</form>`,
  );
}
