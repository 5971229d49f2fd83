/**
 * The style that all reports share, light and dark. Its colours differ for colour-blind readers
 * too.
 */
const commonStyle = `
:root {
  --ink: #1b1f24; --soft: #59636e; --paper: #ffffff; --line: #d8dee4; --tint: #f4f6f8;
  --good: #2a7f4f; --bad: #c2362b; --wait: #d9a21b; --none: #6e5494; --far: #0b6bcb;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6e9ec; --soft: #9aa4ae; --paper: #14181c; --line: #313a43; --tint: #1c2228;
    --good: #4fb57e; --bad: #f0736a; --wait: #e6bd57; --none: #b193e0; --far: #6cb2ff;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1.5rem 1.25rem 4rem;
  color: var(--ink); background: var(--paper); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.35rem; line-height: 1.3; margin: 0.75rem 0 0.25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 2rem 0 0.5rem; }
header p, section p { color: var(--soft); margin: 0.5rem 0; }
.verdict { display: inline-block; margin: 0; padding: 0.3rem 0.8rem; border-radius: 1rem;
  font-weight: 600; color: var(--paper); }
header p.verdict { color: var(--paper); }
.verdict.met { background: var(--good); }
.verdict.missed { background: var(--bad); }
b.met { color: var(--good); }
b.missed { color: var(--bad); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 0.35rem 0.6rem; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { color: var(--soft); font-weight: 600; font-size: 0.85rem; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
`

/** A page without scripts or network requests, so that it opens wherever it is stored. */
export function htmlPage({
  title,
  style,
  body,
}: {
  title: string
  style: string
  body: string
}): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title)}</title>
<style>${commonStyle}${style}</style>
</head>
<body>
${body}
</body>
</html>
`
}

/** Text escaped for HTML. */
export function escaped(text: string): string {
  const marks: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  }
  return text.replaceAll(/[&<>"']/g, (mark) => marks[mark] ?? mark)
}
