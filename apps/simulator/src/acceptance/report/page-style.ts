/**
 * The style of the report, besides the common style. The filter is CSS only and needs no script.
 */
export const pageStyle = `
body { max-width: 72rem; }
h2 { scroll-margin-top: 1rem; border-bottom: 1px solid var(--line); padding-bottom: 0.3rem; }
nav { display: flex; flex-wrap: wrap; gap: 0.4rem 1.1rem; margin: 1rem 0 0; font-size: 0.92rem; }
nav a { color: var(--far); text-decoration: none; }
nav a:hover { text-decoration: underline; }
nav span { color: var(--soft); }
.filter { display: flex; flex-wrap: wrap; gap: 0.5rem; border: 0; margin: 1.2rem 0 0; padding: 0; }
.filter legend { float: left; margin: 0.3rem 0.4rem 0 0; padding: 0; color: var(--soft); }
.filter input { position: absolute; opacity: 0; }
.filter span { display: inline-block; padding: 0.25rem 0.8rem; border: 1px solid var(--line);
  border-radius: 1rem; cursor: pointer; }
.filter b { font-weight: 600; color: var(--soft); }
.filter input:checked + span { background: var(--ink); color: var(--paper);
  border-color: var(--ink); }
.filter input:checked + span b { color: inherit; }
.filter input:focus-visible + span { outline: 2px solid var(--far); outline-offset: 2px; }
body:has(#show-passed:checked) .case:not(.passed),
body:has(#show-passed:checked) section:not(:has(.passed)),
body:has(#show-failed:checked) .case:not(.failed),
body:has(#show-failed:checked) section:not(:has(.failed)),
body:has(#show-skipped:checked) .case:not(.skipped),
body:has(#show-skipped:checked) section:not(:has(.skipped))
{ display: none; }
.failures { margin: 1rem 0 0; padding: 0.6rem 1rem; list-style: none;
  border-left: 3px solid var(--bad); background: var(--tint); border-radius: 0 6px 6px 0; }
.failures a { display: inline-block; min-width: 14.5rem; font-family: ui-monospace, monospace;
  font-size: 0.88rem; color: var(--bad); }
.case:target > summary { outline: 2px solid var(--bad); }
.case { border-bottom: 1px solid var(--line); }
.case summary { display: grid; grid-template-columns: 1.2rem 15rem 1fr; gap: 0.7rem;
  padding: 0.4rem 0; cursor: pointer; list-style: none; }
.case summary::-webkit-details-marker { display: none; }
.case summary:hover { background: var(--tint); }
.case summary:focus-visible { outline: 2px solid var(--far); }
.case i { font-style: normal; font-weight: 700; text-align: center; }
.passed i { color: var(--good); } .failed i { color: var(--bad); }
.skipped i { color: var(--soft); }
.failed summary { background: color-mix(in srgb, var(--bad) 8%, transparent); }
.name { font-family: ui-monospace, monospace; font-size: 0.88rem; line-height: 1.7;
  overflow-wrap: anywhere; }
.rule { color: var(--soft); }
.got { display: block; font-size: 0.9rem; }
.failed .got { color: var(--bad); }
dl { display: grid; grid-template-columns: 7rem 1fr; gap: 0.25rem 0.8rem;
  margin: 0.4rem 0 0.8rem 1.9rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.exchange { margin: 0 0 1rem 1.9rem; }
.exchange h3 { font-size: 0.85rem; font-weight: 600; color: var(--soft); margin: 0 0 0.3rem; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 0.6rem; }
pre { margin: 0; padding: 0.6rem 0.7rem; background: var(--tint); border-radius: 6px;
  font-size: 0.78rem; line-height: 1.45;
  white-space: pre-wrap; overflow-wrap: anywhere; max-height: 22rem; overflow-y: auto; }
@media (max-width: 48rem) {
  .case summary { grid-template-columns: 1.2rem 1fr; row-gap: 0; }
  .rule { grid-column: 2; }
  .sides { grid-template-columns: 1fr; }
  dl, .exchange { margin-left: 0; }
}
@media print { .case:not([open]) { break-inside: avoid; } nav, .filter { display: none; } }
`
